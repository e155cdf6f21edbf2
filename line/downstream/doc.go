// Package downstream measures how the choice of a Shapley estimator, and of the game that it plays, changes the LINe
// detector. It replaces gradient × activation by other contributions, and compares the resulting masks and detection
// rates with the paper's.
//
// All computations start from penultimate features, so that a network runs once over each image for any number of
// studies.
//
//	result, err := downstream.Measure(ctx, downstream.Study{
//		Data: data, Games: []downstream.Game{{Options: games.PenultimateOptions{Value: attribution.Probability}}},
//		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{Antithetic: true}},
//		Budgets:    []float64{4, 100}, Seeds: []uint64{1, 2, 3}, // of each training sample, in forward-equivalents
//	})
//
// Of this module it imports attribution, attribution/compare, attribution/games, graph, line, line/eval and
// line/report; only commands are above it.
package downstream
