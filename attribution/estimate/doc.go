// Package estimate holds the estimators of Shapley values, each an [attribution.Estimator] whose fields are its
// settings:
//
//   - [GradientActivation], [IntegratedGradients], [ExpectedGradients]: from gradients along a line; [Rescale],
//     [Conductance]: their kin for games that know more than gradients;
//   - [CoalitionGradients]: from gradients at sampled coalitions, the smallest errors of all where a game has
//     gradients and is smooth; [ProxyAdjusted]: their polynomial as the control variate of sampled values;
//   - [Permutation] (with antithetic and systematic variants), [Stratified], [Owen], [KernelSHAP], [LeverageSHAP],
//     [SVARM]: from values of sampled coalitions; [OddRegression]: likewise, with the smallest errors of those that use
//     values alone;
//   - [TopK]: which players are the k largest; samples are spent on the players where that is undecided;
//   - [Recommended]: the estimator with the smallest expected error for the game, its players and the budget;
//   - [Exact] (all 2^n coalitions) and [ClosedForm] (for linear games): the true values.
//
// Each runs for a number of samples, a budget, or until a target standard error; [Predict] forecasts the cost, and
// [Parse] reads an estimator's name. An estimator sees a game through package attribution alone, never what kind of
// game it is.
//
//	game := games.Func(3, func(s attribution.Coalition) float64 { return float64(s.Size() * s.Size()) })
//	found, err := estimate.Permutation{Antithetic: true}.Estimate(ctx, game, attribution.Options{Budget: 1000, Seed: 1})
//	fmt.Println(found.Values, found.StdErr, found.Residual)
//	truth, err := estimate.Exact{}.Estimate(ctx, game, attribution.Options{})
//	forecast, err := estimate.Predict(ctx, estimate.KernelSHAP{}, game, attribution.Options{TargetStdErr: 0.01}, 0)
//	fmt.Println(forecast.Samples, forecast.Cost.Equivalents)
//	ranking, err := estimate.TopK{K: 1}.Rank(ctx, game, attribution.Options{Budget: 1000}) // the largest player
//
// Of this module it imports attribution; package games does not know it.
package estimate
