// Package surrogate fits games whose Shapley values have a closed form to gradients of other games: what a surrogate explains
// needs no sampling, and its error is left to be sampled.
package surrogate
