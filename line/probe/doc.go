// Package probe computes what some detectors need of each image beside features and logits: statistics of the feature
// map before it is averaged, and what the network says of an image that was changed along the gradient of an objective
// with respect to its input. It does so through the network's own graph, where feature maps and gradients are nodes
// like others.
//
// What is needed is named by the detectors (posthoc.Needing), parameters included: "odin.logits(T=1000,eps=0.0014)".
// [Compute] turns names into values.
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
// It builds on packages graph, nets and posthoc; package eval is above it.
package probe
