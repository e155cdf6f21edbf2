// Package posthoc holds out-of-distribution detectors that need nothing but a network's penultimate features z and its
// final linear layer l = W z + b: no training, no further pass through the network.
//
// Every score is oriented higher = more in-distribution (ID). Scores are computed in float64 from float32 features and
// logits, each sample by itself, so they are the same bits for any number of workers and any batch.
//
// [Register] adds a method of one's own, which commands and reports then treat like the others; package line adds LINe so.
//
// Of the rest of the module it knows the type [Head] alone.
package posthoc
