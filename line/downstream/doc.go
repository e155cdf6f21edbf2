// Package downstream measures what the choice of a Shapley estimator, and of what is attributed, does to the LINe
// detector: contributions of every kind are put in the place of gradient × activation, and the masks and detection
// rates that follow are compared with the paper's.
//
// Everything starts from penultimate features, so that a network runs over each image only once for any number of
// studies.
//
//	result, err := downstream.Measure(ctx, downstream.Study{
//		Data: data, Games: []downstream.Game{{Options: games.PenultimateOptions{Value: attribution.Probability}}},
//		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{Antithetic: true}},
//		Budgets:    []float64{4, 100}, Seeds: []uint64{1, 2, 3}, // of each training sample, in forward-equivalents
//	})
//
// It builds on packages line, eval and attribution; only commands are above it.
package downstream
