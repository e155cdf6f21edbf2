// Package nets holds image classifiers as functions that add nodes to a graph, with parameters named as in the PyTorch
// checkpoints they are published with, and the preprocessing they expect.
//
// [New] and [Open] know architectures by name: those of the CIFAR literature and torchvision's for ImageNet, whose published
// files load as they are. [Define] makes a network of one's own from one function, and whatever else
// satisfies [Classifier] is taken everywhere, too: by packages train, line and attribution. A network carries no training: its
// parameters are zero until weights are loaded or train.Initialise fills them.
//
// It builds on packages graph and weights; data, detectors and training are above it.
package nets
