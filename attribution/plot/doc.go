// Package plot draws comparisons of Shapley estimators: error against cost with bootstrap bands, estimates against the
// truth, and the overlap of the k largest players. A [Figure] writes itself as PNG or SVG.
package plot
