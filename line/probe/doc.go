// Package probe computes what some detectors need of each image beside features and logits: statistics of the feature
// map before it is averaged, and what the network says of an image that was changed along the gradient of an objective
// with respect to its input. It does so through the network's own graph, where feature maps and gradients are nodes
// like others.
//
// What is needed is named by the detectors (posthoc.Needing), parameters included: "odin.logits(T=1000,eps=0.0014)".
// [Compute] turns names into values.
package probe
