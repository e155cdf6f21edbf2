// Package probe computes what some detectors need of each image besides features and logits: statistics of the
// feature map before it is averaged, and outputs for an image that was changed along the gradient of an objective
// with respect to the input. It uses the network's own graph, in which feature maps and gradients are nodes like any
// others.
//
// Detectors name what they need (posthoc.Needing), parameters included, for example "odin.logits(T=1000,eps=0.0014)".
// [Compute] computes the values for these names.
//
//	odin, err := posthoc.New("odin", posthoc.Options{})
//	needs := odin.(posthoc.Needing).Needs() // package eval asks all methods of a comparison so
//	if err := probe.Check(net, needs); err != nil {
//		return err // errors.Is(err, probe.ErrNoMap): the network has no such feature map
//	}
//	samples.Extra, err = probe.Compute(ctx, net, needs, images, graph.Options{}) // samples: features and logits
//	err = odin.Fit(ctx, nets.HeadOf(net), samples)
//	err = odin.Score(ctx, samples, scores)
//
// Of this module it imports graph, line/posthoc and nets; package eval is above it.
package probe
