package graph

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// averagesInput tells whether the average pooling behind a convolution may be moved in front of it, to the activated
// input, without changing the result. That holds for a 1×1 convolution, which acts on each pixel alone, if only an
// affine map is fused behind it and neither convolution nor pooling has padding.
func (p convParts) averagesInput(cfg PoolConfig) bool {
	w := p.w.Shape()
	stride := p.cfg.Stride
	return w[2] == 1 && w[3] == 1 && max(stride[0], 1) == 1 && max(stride[1], 1) == 1 && p.cfg.Padding == [2]int{} &&
		p.cfg.ExtraPadding == [2]int{} &&
		p.residual == nil && p.post == ActIdentity() && cfg.Padding == [2]int{} && cfg.ExtraPadding == [2]int{} &&
		p.x.Dims() == 4
}

// poolFirst adds the average pooling of the convolution's activated input, followed by the convolution.
func (p convParts) poolFirst(cfg PoolConfig) (*G.Node, error) {
	x := p.x
	switch {
	case p.preScale != nil:
		return affineAvgPool(affineParts{x: x, scale: p.preScale, shift: p.preShift, relu: p.preReLU}, cfg)
	case p.preReLU:
		var err error
		if x, err = ReLU(x); err != nil {
			return nil, err
		}
	}
	return AvgPool2D(x, cfg)
}

// affineAvgPool returns the mean over each window of relu?(scale·x + shift) without keeping the unpooled values. Only x
// has a gradient.
func affineAvgPool(a affineParts, cfg PoolConfig) (*G.Node, error) {
	name := "Affine→AvgPool2D"
	if a.relu {
		name = "Affine→ReLU→AvgPool2D"
	}
	g, err := poolGeom(name, a.x, cfg)
	if err != nil {
		return nil, err
	}
	// Only attribution and training of inputs ask for this gradient. It computes the activations again.
	grad := func(in G.Nodes, _, grad *G.Node, _ []bool) (G.Nodes, error) {
		active, err := affine(in[0], in[1], in[2], a.relu)
		if err != nil {
			return nil, err
		}
		pooled, err := AvgPool2D(active, cfg)
		if err != nil {
			return nil, err
		}
		gs, err := pooled.Op().(*op).fn.backward(G.Nodes{active}, pooled, grad, []bool{true})
		if err != nil {
			return nil, err
		}
		return active.Op().(*op).fn.backward(in, active, gs[0], []bool{true, false, false})
	}
	shape := tensor.Shape{a.x.Shape()[0], g.C, g.OutH(), g.OutW()}
	return explained("Affine→AvgPool2D", PoolStep{Config: cfg, ReLU: a.relu})(onCard(affineAvgPoolCard(g,
		a.relu))(floatOp(name, shape, []*G.Node{a.x, a.scale, a.shift}, first(3), grad,
		affineAvgPoolRun[float32](g, a.relu), affineAvgPoolRun[float64](g, a.relu))))
}

// affineAvgPoolRun activates a few channels at a time, so that they are still in the first-level cache when they are
// pooled.
func affineAvgPoolRun[T kernel.Float](g kernel.PoolGeom, relu bool) func(*call[T]) error {
	in, out := g.H*g.W, g.OutH()*g.OutW()
	some := g
	some.C = min(g.C, max(1, 4096/in))
	return func(c *call[T]) error {
		active, scale, shift := c.workspace(some.C*in), c.in[1].data, c.in[2].data
		for i := range c.out.n {
			dst, src := c.out.sample(i), c.in[0].sample(i)
			for lo := 0; lo < g.C; lo += some.C {
				part := some
				part.C = min(some.C, g.C-lo)
				kernel.Affine(active, src[lo*in:], scale[lo:], shift[lo:], part.C, in, relu)
				kernel.AvgPool(part, dst[lo*out:], active)
			}
		}
		return nil
	}
}
