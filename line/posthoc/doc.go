// Package posthoc holds out-of-distribution detectors that need no training: scores of a network's penultimate features
// z and its final linear layer l = W z + b, and for some of them of further values of each sample, which [Samples] then
// holds as Extra.
//
// A detector is made of parts: a [Shaper] changes features, head or logits, a [Scorer] turns them into a score. [New]
// makes a method by name, and compositions by names joined by +: "react+dice" shapes by both and scores by the energy,
// "scale+knn" searches among scaled features. [Kinds] lists what there is, with formulas, sources, and parameters.
// [State] and [Restore] carry what a fitted method learned.
//
//	m, err := posthoc.New("react+knn", posthoc.Options{Params: map[string]float64{"knn.k": 10}})
//	err = m.Fit(ctx, nets.HeadOf(net), train) // features and logits of training pictures
//	scores := make([]float64, test.N)
//	err = m.Score(ctx, test, scores)
//	own := posthoc.Func("norm", func(features, logits []float32) float64 { return norm(features) })
//
// Every score is oriented higher = more in-distribution (ID). Scores are computed in float64 from float32 features and
// logits, each sample by itself, so they are the same bits for any number of workers and any batch.
//
// [Register] adds a method of one's own, which commands and reports then treat like the others; package line adds LINe
// so.
//
// Of the rest of the module it knows the type [Head] and the linear algebra of internal/linalg alone.
package posthoc
