package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// ClassClip returns each sample clipped at the row of a table that belongs to its class: y[n, i] = min(z[n, i],
// limit[class[n], i]), for z [batch, features], limit [classes, features] and class [batch] of int. As with [Clip] the
// gradient passes where z <= limit, NaN stays NaN, and only z has a gradient.
func ClassClip(z, class, limit *G.Node) (*G.Node, error) {
	const name = "ClassClip"
	if err := wantDims(name, 2, z, limit); err != nil {
		return nil, err
	}
	if err := wantShape(name, "class", class, z.Shape()[0]); err != nil {
		return nil, err
	}
	if err := wantShape(name, "limit", limit, limit.Shape()[0], z.Shape()[1]); err != nil {
		return nil, err
	}
	grad := same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return onCard(classCard("class_clip_grad_f32"))(classOp(name+"'", z.Shape(),
			[]*G.Node{grad, in[0], in[1], in[2]}, nil, nil,
			classClipGradRun[float32], classClipGradRun[float64]))
	})
	return onCard(classCard("class_clip_f32"))(classOp(name, z.Shape(), []*G.Node{z, limit, class}, first(3), grad,
		classClipRun[float32], classClipRun[float64]))
}

func classClipRun[T kernel.Float](c *call[T]) error {
	class, err := c.ints(2)
	if err != nil {
		return err
	}
	for i := range c.out.n {
		limit, err := row(c.in[1], i, class[i])
		if err != nil {
			return err
		}
		kernel.ClipMax(c.out.sample(i), c.in[0].sample(i), limit)
	}
	return nil
}

func classClipGradRun[T kernel.Float](c *call[T]) error {
	class, err := c.ints(3)
	if err != nil {
		return err
	}
	for i := range c.out.n {
		limit, err := row(c.in[2], i, class[i])
		if err != nil {
			return err
		}
		kernel.ClipMaxBackward(c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i), limit)
	}
	return nil
}
