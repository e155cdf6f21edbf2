// Package nets holds image classifiers as functions that add nodes to a graph, with parameters named as in the PyTorch
// checkpoints they are published with, and the preprocessing they expect.
package nets
