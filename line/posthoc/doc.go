// Package posthoc holds out-of-distribution detectors that need nothing but a network's penultimate features z and its
// final linear layer l = W z + b: no training, no further pass through the network.
//
// Every score is oriented higher = more in-distribution (ID). Scores are computed in float64 from float32 features and
// logits, each sample by itself, so they are the same bits for any number of workers and any batch.
//
// To add a method, write a file with its parameters and constructor and list it in registry.
package posthoc
