// Package estimate holds the estimators of Shapley values, each an [attribution.Estimator] whose fields are its
// settings:
//
//   - [GradientActivation], [IntegratedGradients], [ExpectedGradients]: from gradients along a line; [Rescale], [Conductance]: their
//     kin for games that know more than gradients;
//   - [CoalitionGradients]: from gradients at sampled coalitions, the smallest errors of all where a game has
//     gradients;
//   - [Permutation] (with antithetic and systematic variants), [Stratified], [Owen], [KernelSHAP], [LeverageSHAP],
//     [SVARM]: from sampled coalitions;
//   - [TopK]: which players are the k largest, with samples spent where that is undecided;
//   - [Recommended]: the one to expect the smallest error of, by game, players and budget;
//   - [Exact] (all 2^n coalitions) and [ClosedForm] (games that are linear): the truth to compare with.
//
// Each runs for a number of samples, a budget, or until a target standard error; [Predict] forecasts the cost, and
// [Parse] reads an estimator's name. An estimator sees a game through package attribution alone, never what kind of
// game it is.
package estimate
