// Package surrogate fits games whose Shapley values have a closed form to gradients of other games: the part of a game
// that its surrogate explains needs no sampling, and only the rest is left to be sampled.
package surrogate
