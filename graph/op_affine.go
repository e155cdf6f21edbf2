package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Affine returns scale[c]·x + shift[c] for x [batch, channels, ...] and scale, shift [channels]: batch norm in
// inference. x, scale and shift have gradients.
func Affine(x, scale, shift *G.Node) (*G.Node, error) { return affine(x, scale, shift, false) }

// affine is Affine with, if relu is set, a ReLU fused behind it; then only x has a gradient.
func affine(x, scale, shift *G.Node, relu bool) (*G.Node, error) {
	name := "Affine"
	if relu {
		name = "Affine→ReLU"
	}
	if err := wantBatched(name, 2, x); err != nil {
		return nil, err
	}
	channels := x.Shape()[1]
	if err := wantShape(name, "scale", scale, channels); err != nil {
		return nil, err
	}
	if err := wantShape(name, "shift", shift, channels); err != nil {
		return nil, err
	}
	diff := []bool{true, !relu, !relu}
	grad := func(in G.Nodes, out, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 3)
		if need[0] {
			args := []*G.Node{grad, in[1]}
			if relu {
				args = append(args, out)
			}
			gs[0], err = onCard(affineDXCard(channels, relu))(floatOp(name+"'x", x.Shape(), args, nil, nil,
				affineDX[float32](channels, relu), affineDX[float64](channels, relu)))
			if err != nil {
				return nil, err
			}
		}
		if need[1] {
			gs[1], err = onCard(sumPlanesCard)(floatOp(name+"'scale", scale.Shape(), []*G.Node{grad, in[0]}, nil, nil,
				affineDScale[float32], affineDScale[float64]))
			if err != nil {
				return nil, err
			}
		}
		if need[2] {
			gs[2], err = onCard(sumPlanesCard)(floatOp(name+"'shift", shift.Shape(), []*G.Node{grad}, nil, nil,
				sumPlanes[float32], sumPlanes[float64]))
		}
		return gs, err
	}
	return explained("Affine", AffineStep{ReLU: relu})(onCard(affineCard(channels, relu))(floatOp(name, x.Shape(),
		[]*G.Node{x, scale, shift}, diff, grad,
		affineRun[float32](channels, relu), affineRun[float64](channels, relu))))
}

func affineRun[T kernel.Float](channels int, relu bool) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			kernel.Affine(c.out.sample(i), c.in[0].sample(i), c.in[1].data, c.in[2].data, channels, c.out.size/channels,
				relu)
		}
		return nil
	}
}

func affineDX[T kernel.Float](channels int, relu bool) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			var y []T
			if relu {
				y = c.in[2].sample(i)
			}
			kernel.AffineBackward(c.out.sample(i), c.in[0].sample(i), y, c.in[1].data, channels, c.out.size/channels,
				relu, false)
		}
		return nil
	}
}

func affineDScale[T kernel.Float](c *call[T]) error {
	sum, _ := c.out.flat()
	clear(sum)
	for i := range c.in[0].n {
		dy, x := c.in[0].sample(i), c.in[1].sample(i)
		hw := len(x) / len(sum)
		for ch := range sum {
			sum[ch] += kernel.Dot(dy[ch*hw:][:hw], x[ch*hw:][:hw])
		}
	}
	return nil
}
