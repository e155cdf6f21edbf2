// Package posthoc holds out-of-distribution detectors that need no training. They compute scores from a network's
// penultimate features z and its final linear layer l = W z + b. Some need further values of each sample, which
// [Samples] holds as Extra.
//
// A detector is made of parts: [Shaper]s change features, head or logits, and a [Scorer] turns them into a score.
// [New] makes a method by its name. Names joined by + make compositions: "react+dice" applies both shapers and scores
// by the energy, "scale+knn" searches nearest neighbours among scaled features. [Kinds] lists all methods with
// formulas, sources and parameters. [State] and [Restore] save and restore what a fitted method has learned.
//
//	m, err := posthoc.New("react+knn", posthoc.Options{Params: map[string]float64{"knn.k": 10}})
//	err = m.Fit(ctx, nets.HeadOf(net), train) // features and logits of training pictures
//	scores := make([]float64, test.N)
//	err = m.Score(ctx, test, scores)
//	own := posthoc.Func("norm", func(features, logits []float32) float64 { return norm(features) })
//
// Every score is oriented higher = more in-distribution (ID). Scores are computed in float64 from float32 features
// and logits, each sample separately, so that they have the same bits for any number of workers and any batch.
//
// [Register] adds a method of one's own, which package eval, reports and files then treat like the others. Package line
// adds LINe in this way. For a formula [Func] is enough; a method that learns is a [Kind] whose Part has a [Scorer] or
// [Shaper] that is [Stateful].
//
// Of this module it imports nets: it sees features and logits, never a picture or a graph.
package posthoc
