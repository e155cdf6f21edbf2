// Package attribution measures how much the neurons of a layer contribute to what a network says, as the Shapley
// values of a cooperative game. It holds what the packages in its folder share: games, coalitions, values, estimates.
//
// A [Game] has players (neurons, or named groups of neurons) and gives every coalition a value: a logit, a
// probability, a log-sum-exp, a detector's score, with the players outside the coalition removed. The Shapley value of
// player i (Shapley 1953) is the mean of its marginal contribution v(S ∪ {i}) - v(S) over the orders in which the
// players can join. An [Estimator] turns a game into an [Estimate]: values, standard errors, what was spent, and the
// efficiency residual.
//
//	features, err := eval.NodeRows(ctx, program, nets.Features, images) // [picture][neuron]
//	readout, err := games.NewReadout(nets.HeadOf(net))
//	rules := games.PenultimateOptions{Value: attribution.Probability}
//	game, err := games.NewPenultimate(readout, features[0], label, rules) // of the first picture
//	found, err := estimate.Permutation{Antithetic: true}.Estimate(ctx, game, attribution.Options{Budget: 10000})
//	for i, v := range found.Values {
//		lo, hi := found.Interval(i, 0.95)
//		fmt.Printf("neuron %d contributes %.3f [%.3f, %.3f]\n", i, v, lo, hi)
//	}
//
// The packages in its folder, which are built on it:
//
//   - games makes games: on the penultimate layer, on any layer of a network, from a table or a function;
//   - estimate holds the estimators and forecasts what they cost;
//   - interactions measures what pairs of players do together, exactly and by samples;
//   - compare runs studies of estimators on games whose values are known, with metrics, tables and figures.
//
// Packages games and estimate both use this package and do not know each other. A game may come from anywhere, and
// offers what it can beyond [Game] through the interfaces [Incremental], [Differentiable], [Linear], [Sampled],
// [SampledGradients], [Costed], [CostedGradients], [Kinked], [Rescaled], [Traced] and [Named]. Package compare uses
// this package and estimate; interactions uses this package alone. Of them all, only games knows graphs.
//
// Cost is counted in forward-equivalents: one coalition value is one forward pass of the part of the network that the
// game runs, unless the game says otherwise through [Costed]; a gradient is one forward and one backward pass, and a
// backward pass counts as [Options.BackwardCost] forwards.
//
// Every result is a function of the game, the options and the seed: the same bits for any number of workers.
//
// Of this module it imports no public package: games, estimators and studies are above it.
package attribution
