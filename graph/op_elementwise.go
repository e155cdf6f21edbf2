package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// perSample runs f on each sample of the output and the inputs.
func perSample[T kernel.Float](c *call[T], f func(out []T, in [][]T)) error {
	if c.args == nil {
		c.args = make([][]T, len(c.in))
	}
	for i := range c.out.n {
		for j, a := range c.in {
			c.args[j] = a.sample(i)
		}
		f(c.out.sample(i), c.args)
	}
	return nil
}

// ReLU returns max(x, 0), elementwise, of the same shape as x. Its derivative at 0 is 0, as PyTorch's; NaN stays NaN.
func ReLU(x *G.Node) (*G.Node, error) {
	if x == nil {
		return nil, fmt.Errorf("ReLU: expected an input, got nil")
	}
	return onCard(reluCard)(floatOp("ReLU", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) { return reluGrad(grad, out) }),
		reluRun[float32], reluRun[float64]))
}

func reluRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) { kernel.ReLU(out, in[0]) })
}

func reluGrad(grad, y *G.Node) (*G.Node, error) {
	return onCard(reluGradCard)(floatOp("ReLU'", y.Shape(), []*G.Node{grad, y}, nil, nil, reluGradRun[float32],
		reluGradRun[float64]))
}

func reluGradRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) { kernel.ReLUBackward(out, in[0], in[1]) })
}

// Clip returns min(x, limit) for x of shape [batch, ...]. limit has one element, or one per element of a sample (a
// limit per neuron). The gradient passes where x <= limit, as PyTorch's clamp; NaN stays NaN. limit itself has no
// gradient.
func Clip(x, limit *G.Node) (*G.Node, error) {
	if err := wantBatched("Clip", 1, x); err != nil {
		return nil, err
	}
	if limit == nil {
		return nil, fmt.Errorf("Clip: limit: expected a node, got nil")
	}
	size := x.Shape().TotalSize() / x.Shape()[0]
	if l := limit.Shape().TotalSize(); l != 1 && l != size {
		return nil, fmt.Errorf("Clip: limit: expected 1 or %d elements for input %v, got shape %v", size, x.Shape(),
			limit.Shape())
	}
	return onCard(clipCard("clip_f32"))(floatOp("Clip", x.Shape(), []*G.Node{x, limit}, first(2),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return onCard(clipCard("clip_grad_f32"))(floatOp("Clip'", x.Shape(), []*G.Node{grad, in[0], in[1]}, nil,
				nil,
				clipGradRun[float32], clipGradRun[float64]))
		}), clipRun[float32], clipRun[float64]))
}

func clipRun[T kernel.Float](c *call[T]) error {
	limit, err := sliceOf[T](c.raw[1])
	if err != nil {
		return err
	}
	for i := range c.out.n {
		kernel.ClipMax(c.out.sample(i), c.in[0].sample(i), limit)
	}
	return nil
}

func clipGradRun[T kernel.Float](c *call[T]) error {
	limit, err := sliceOf[T](c.raw[2])
	if err != nil {
		return err
	}
	for i := range c.out.n {
		kernel.ClipMaxBackward(c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i), limit)
	}
	return nil
}

// Copy returns x in contiguous memory of its own, for stock operations that would otherwise overwrite or misread x.
func Copy(x *G.Node) (*G.Node, error) {
	if x == nil {
		return nil, fmt.Errorf("Copy: expected an input, got nil")
	}
	return onCard(copyCard)(floatOp("Copy", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) { return grad, nil }), copyRun[float32],
		copyRun[float64]))
}

// Flatten returns x of shape [batch, ...] as [batch, elements of a sample].
func Flatten(x *G.Node) (*G.Node, error) {
	if err := wantBatched("Flatten", 1, x); err != nil {
		return nil, err
	}
	return reshape("Flatten", x, x.Shape()[1:].TotalSize())
}

// Reshape returns x of shape [batch, ...] with the axes after the first replaced by shape, in memory of its own.
func Reshape(x *G.Node, shape ...int) (*G.Node, error) {
	if err := wantBatched("Reshape", 1, x); err != nil {
		return nil, err
	}
	return reshape("Reshape", x, shape...)
}

func reshape(name string, x *G.Node, shape ...int) (*G.Node, error) {
	from := x.Shape()
	to := append(tensor.Shape{from[0]}, shape...)
	if n, err := elements(to); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	} else if n != from.TotalSize() {
		return nil, fmt.Errorf("%s: shape %v has %d elements, input (%s) of shape %v has %d", name, to, n, x.Name(),
			from, from.TotalSize())
	}
	return onCard(copyCard)(floatOp(name, to, []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) { return reshape(name+"'", grad, from[1:]...) }),
		copyRun[float32], copyRun[float64]))
}

func copyRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) { copy(out, in[0]) })
}
