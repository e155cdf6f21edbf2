package probe

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// Compute returns the values with the given names for each image of a stream, in the order of the images. Images are
// already normalised, as for a program of the classifier itself. The stream is read once. The network runs forward
// for each image, backward if the image is changed along a gradient, and once more for each changed version of the
// image.
//
// Errors are an unknown name, a network without the feature map that a name needs (wrapping [ErrNoMap]) or without a
// linear last layer (wrapping [nets.ErrNoHead]), the error of the stream or of ctx, and a value that is not finite.
func Compute(ctx context.Context, net nets.Classifier, names []string, images graph.Batches,
	o graph.Options) (map[string]posthoc.Extra, error) {
	c := computation{net: net}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		n, err := parse(name)
		if err == nil {
			err = n.check()
		}
		if err != nil {
			return nil, err
		}
		c.needs = append(c.needs, n)
	}
	if len(c.needs) == 0 {
		return nil, nil
	}
	if net.FeatureDim() == 0 {
		return nil, fmt.Errorf("probe: %s of %s: %w", c.needs[0].name, net.Name(), nets.ErrNoHead)
	}
	c.head = nets.HeadOf(net)
	if err := c.compile(o); err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	if err := c.run(ctx, images); err != nil {
		return nil, err
	}
	out := map[string]posthoc.Extra{}
	for i, n := range c.needs {
		out[n.name] = posthoc.Extra{Width: c.width(n), Values: c.values[i]}
	}
	return out, nil
}

// computation is one call of Compute.
type computation struct {
	net    nets.Classifier
	head   nets.Head
	needs  []need
	values [][]float32 // one slice for each need

	first  *graph.Program // runs the unchanged images
	second *graph.Program // runs changed images; nil where there are none
}

// changing returns the indices of the needs that change images.
func (c *computation) changing() (indices []int) {
	for i, n := range c.needs {
		if !n.ofMap() {
			indices = append(indices, i)
		}
	}
	return indices
}

func (c *computation) width(n need) int {
	switch n.kind {
	case odinLogits, rankFeatLogits:
		return c.net.Classes()
	case mapGram:
		return int(n.params["powers"]) * c.net.FeatureDim()
	}
	return c.net.FeatureDim()
}

// gradient returns the name of the node along whose gradient an image is changed.
func (n need) gradient() string {
	if n.kind == odinLogits {
		return fmt.Sprintf(odinGradient, n.params["T"])
	}
	return topGradient
}

// result returns the name of the node whose value is taken for a changed image.
func (n need) result() string {
	if n.kind == odinLogits {
		return nets.Logits
	}
	return nets.Features
}

func (c *computation) compile(o graph.Options) (err error) {
	m := model{Classifier: c.net}
	var fetch, again []string
	for _, n := range c.needs {
		if n.ofMap() {
			fetch = append(fetch, mapNode)
			continue
		}
		fetch, again = append(fetch, n.gradient()), append(again, n.result())
		if n.kind == odinLogits {
			m.temperatures = append(m.temperatures, n.params["T"])
		}
	}
	unique := func(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
	m.temperatures = slices.Compact(slices.Sorted(slices.Values(m.temperatures)))
	o.From, o.Hooks = "", nil
	o.Fetch = unique(fetch)
	if c.first, err = graph.Compile(m, o); err != nil || len(again) == 0 {
		return err
	}
	o.Fetch = unique(again)
	c.second, err = graph.Compile(c.net, o)
	return err
}

func (c *computation) run(ctx context.Context, images graph.Batches) error {
	c.values = make([][]float32, len(c.needs))
	changing := c.changing()
	if len(changing) == 0 {
		for _, err := range c.changed(ctx, images) {
			if err != nil {
				return err
			}
		}
		return c.finite()
	}
	turn := 0 // which of the needs the next batch of the second program is for
	for out, err := range c.second.Run(ctx, c.changed(ctx, images)) {
		if err != nil {
			return err
		}
		i := changing[turn%len(changing)]
		c.values[i] = append(c.values[i], out.Float32(c.needs[i].result())...)
		turn++
	}
	return c.finite()
}

// changed runs the images through the first program and keeps the values that come from feature maps. It yields each
// batch several times, changed for each need in turn.
func (c *computation) changed(ctx context.Context, images graph.Batches) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		var seen tee
		for out, err := range c.first.Run(ctx, seen.watch(images, c.second != nil)) {
			if err == nil {
				err = c.maps(out)
			}
			if err != nil {
				yield(graph.Batch{}, err)
				return
			}
			if c.second == nil {
				continue
			}
			x := seen.next(out.N)
			for _, i := range c.changing() {
				n := c.needs[i]
				if !yield(graph.Batch{N: out.N, X: n.change(x, out.Float32(n.gradient()), out.N,
					c.net.Preprocessing())}, nil) {
					return
				}
			}
		}
	}
}

// finite returns an error for the first value that is not finite.
func (c *computation) finite() error {
	for i, n := range c.needs {
		for j, v := range c.values[i] {
			if v-v != 0 {
				w := c.width(n)
				return fmt.Errorf("probe: image %d: expected finite %s, got %v at index %d", j/w, n.name, v, j%w)
			}
		}
	}
	return nil
}

// Check returns the error that [Compute] would return for names that are unknown or that the network cannot serve,
// without running anything.
func Check(net nets.Classifier, names []string) error {
	for _, name := range names {
		n, err := parse(name)
		if err == nil {
			err = n.check()
		}
		switch {
		case err != nil:
			return err
		case net.FeatureDim() == 0:
			return fmt.Errorf("probe: %s of %s: %w", name, net.Name(), nets.ErrNoHead)
		}
		c := computation{net: net, needs: []need{n}}
		if err := c.compile(graph.Options{Batch: 1, Workers: 1}); err != nil {
			return fmt.Errorf("probe: %s: %w", name, err)
		}
	}
	return nil
}
