package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// call is one execution of an operation over elements of type T.
type call[T kernel.Float] struct {
	out array[T]
	in  []array[T] // the zero array where the input is of another type, such as classes
	raw []G.Value

	args    [][]T // reused by perSample
	scratch []T   // reused by workspace
	pieces  [][]T // reused by flat
}

// flat returns the elements of input i as one slice. It is a copy where the samples do not lie next to one another.
func (c *call[T]) flat(i int) []T {
	if flat, ok := c.in[i].flat(); ok {
		return flat
	}
	if c.pieces == nil {
		c.pieces = make([][]T, len(c.in))
	}
	return contiguous(c.in[i], func(n int) []T { return grown(&c.pieces[i], n) })
}

// grown returns the first n elements of *s, which it reallocates where it is too short.
func grown[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	return (*s)[:n]
}

// workspace returns n elements of unspecified content that live until the next call.
func (c *call[T]) workspace(n int) []T {
	if cap(c.scratch) < n {
		c.scratch = make([]T, n)
	}
	return c.scratch[:n]
}

// ints returns the elements of an input of int, such as classes: one per sample.
func (c *call[T]) ints(i int) ([]int, error) { return sliceOf[int](c.raw[i]) }

// gradient builds the nodes of the gradients by an operation's inputs.
type gradient func(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error)

// floatFn is a function that reads and writes elements of type T.
type floatFn[T kernel.Float] struct {
	run  func(c *call[T]) error
	grad gradient
	diff []bool // for each input whether it has a gradient; nil: none has
	call call[T]
}

func (f *floatFn[T]) forward(out G.Value, in []G.Value) error {
	c := &f.call
	if len(c.in) != len(in) {
		c.in = make([]array[T], len(in))
	}
	c.raw = in
	dtype := floatDtype[T]()
	for i, v := range in {
		if v.Dtype() != dtype {
			continue // an input of int, such as classes
		}
		a, err := arrayOf[T](v)
		if err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		c.in[i] = a
	}
	var err error
	if c.out, err = arrayOf[T](out); err != nil {
		return err
	}
	return f.run(c)
}

func (f *floatFn[T]) differentiable(n int) []bool {
	if f.diff == nil {
		return make([]bool, n)
	}
	return f.diff
}

func (f *floatFn[T]) backward(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error) {
	if f.grad == nil {
		return nil, errNoGradient
	}
	return f.grad(in, out, grad, need)
}

// floatOp adds an operation whose inputs and output have elements of one type. f32 and f64 are the same computation in
// the two precisions.
func floatOp(name string, shape tensor.Shape, in []*G.Node, diff []bool, grad gradient,
	f32 func(*call[float32]) error, f64 func(*call[float64]) error) (*G.Node, error) {
	return newFloatOp(name, shape, in, len(in), diff, grad, f32, f64)
}

// classOp is floatOp with classes, [batch] of int, as the last input.
func classOp(name string, shape tensor.Shape, in []*G.Node, diff []bool, grad gradient,
	f32 func(*call[float32]) error, f64 func(*call[float64]) error) (*G.Node, error) {
	if err := wantInts(name, in[len(in)-1]); err != nil {
		return nil, err
	}
	return newFloatOp(name, shape, in, len(in)-1, diff, grad, f32, f64)
}

func newFloatOp(name string, shape tensor.Shape, in []*G.Node, floats int, diff []bool, grad gradient,
	f32 func(*call[float32]) error, f64 func(*call[float64]) error) (*G.Node, error) {
	if err := wantOneType(name, in[:floats]...); err != nil {
		return nil, err
	}
	dtype := in[0].Dtype()
	fn, err := dispatch(name, dtype,
		func() function { return &floatFn[float32]{run: f32, grad: grad, diff: diff} },
		func() function { return &floatFn[float64]{run: f64, grad: grad, diff: diff} })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, dtype, shape, in...)
}

// same makes a gradient for an operation whose first input is its only differentiable one.
func same(build func(in G.Nodes, out, grad *G.Node) (*G.Node, error)) gradient {
	return func(in G.Nodes, out, grad *G.Node, need []bool) (G.Nodes, error) {
		gs := make(G.Nodes, len(in))
		if !need[0] {
			return gs, nil
		}
		g, err := build(in, out, grad)
		gs[0] = g
		return gs, err
	}
}

// first returns n flags, of which only the first is set: the first of n inputs is differentiable.
func first(n int) []bool {
	d := make([]bool, n)
	d[0] = true
	return d
}

// wantOneType fails unless there is at least one node, none is nil and all have elements of one type.
func wantOneType(name string, ns ...*G.Node) error {
	if len(ns) == 0 {
		return fmt.Errorf("%s: expected at least one input, got none", name)
	}
	for i, n := range ns {
		if n == nil {
			return fmt.Errorf("%s: input %d: expected a node, got nil", name, i)
		}
		if n.Dtype() != ns[0].Dtype() {
			return fmt.Errorf("%s: input %d (%s) is of %v, input 0 of %v", name, i, n.Name(), n.Dtype(), ns[0].Dtype())
		}
	}
	return nil
}

// wantInts fails unless every node holds ints.
func wantInts(name string, ns ...*G.Node) error {
	for _, n := range ns {
		if n == nil {
			return fmt.Errorf("%s: class: expected a node, got nil", name)
		}
		if n.Dtype() != tensor.Int {
			return fmt.Errorf("%s: class (%s): expected int, got %v", name, n.Name(), n.Dtype())
		}
	}
	return nil
}

// wantDims fails unless every node has the given number of axes.
func wantDims(name string, dims int, ns ...*G.Node) error {
	for i, n := range ns {
		if n == nil {
			return fmt.Errorf("%s: input %d: expected a node, got nil", name, i)
		}
		if n.Dims() != dims {
			return fmt.Errorf("%s: input %d (%s): expected %s, got shape %v", name, i, n.Name(), axesOf(dims),
				n.Shape())
		}
	}
	return nil
}

// wantRank fails unless every node has at least the given number of axes.
func wantRank(name string, dims int, ns ...*G.Node) error {
	for i, n := range ns {
		if n == nil {
			return fmt.Errorf("%s: input %d: expected a node, got nil", name, i)
		}
		if n.Dims() < dims {
			return fmt.Errorf("%s: input %d (%s): expected at least %s, got shape %v", name, i, n.Name(),
				axesOf(dims), n.Shape())
		}
	}
	return nil
}

// wantBatched fails unless the node has a batch axis and at least the given number of axes in all.
func wantBatched(name string, dims int, n *G.Node) error {
	if n == nil {
		return fmt.Errorf("%s: expected an input, got nil", name)
	}
	if n.Dims() < dims {
		return fmt.Errorf("%s: input (%s): expected at least %s, the batch first, got shape %v", name, n.Name(),
			axesOf(dims), n.Shape())
	}
	return nil
}

// wantShape fails unless the node has exactly the given shape.
func wantShape(name, what string, n *G.Node, shape ...int) error {
	if n == nil {
		return fmt.Errorf("%s: %s: expected a node, got nil", name, what)
	}
	if !sameShape(n.Shape(), shape) {
		return fmt.Errorf("%s: %s (%s): expected shape %v, got %v", name, what, n.Name(), tensor.Shape(shape),
			n.Shape())
	}
	return nil
}

// sameShape tells whether two shapes are equal. Unlike tensor's own test it does not take (n, 1) for (n).
func sameShape(a, b []int) bool { return slices.Equal(a, b) }
