// Package surrogate fits models of a game whose Shapley values have a closed form: a polynomial ([Odd]) to the game's
// gradients, and a Gaussian process ([Process]) to its values. Estimators take the part of the game that the model
// explains from it, and sample only the rest.
package surrogate
