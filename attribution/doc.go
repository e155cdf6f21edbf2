// Package attribution measures how much the neurons of a layer contribute to what a network says, as the Shapley
// values of a cooperative game, and compares the ways of estimating them.
//
// A [Game] has players (neurons, or named groups of neurons) and gives every coalition a value: a logit, a
// probability, a log-sum-exp, a detector's score, with the players outside the coalition removed. The Shapley value of
// player i (Shapley 1953) is the mean of its marginal contribution v(S ∪ {i}) - v(S) over the orders in which the
// players can join.
//
// An [Estimator] turns a game into an [Estimate]: values, standard errors, what was spent, and the efficiency residual.
// The estimators are
//
//   - [GradientActivation], [IntegratedGradients], [ExpectedGradients]: from gradients,
//   - [Permutation] (with antithetic and systematic variants), [Stratified], [Owen], [KernelSHAP], [LeverageSHAP],
//     [SVARM]: from sampled coalitions,
//   - [Exact] (all 2^n coalitions) and [ClosedForm] (games that are linear): the truth to compare with.
//
// Each runs for a number of samples, a budget, or until a target standard error; [Predict] forecasts the cost, and
// [ParseEstimator] reads an estimator's name.
//
// [TopK] spends its samples where it is undecided which players are among the k largest. [Compare] runs any set of
// estimators, budgets and seeds on games whose values are known and reports errors, rank agreement, interval coverage
// and cost, with bootstrap bands.
//
// Cost is counted in forward-equivalents: one coalition value is one forward pass of the part of the network that the
// game runs, unless the game says otherwise through [Costed]; a gradient is one forward and one backward, and a
// backward counts as [Options.BackwardCost] forwards.
//
// Every result is a function of the game, the options and the seed: the same bits for any number of workers.
package attribution
