package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// elementFn computes a run of results from as many elements of each input, or from a single element of an input that
// repeats.
type elementFn[T kernel.Float] func(out []T, in [][]T)

// rowFn computes rows of n results each from as many rows of one of two inputs and from one element of the other input
// per row. The function must not depend on the order of the inputs.
type rowFn[T kernel.Float] func(out, rows, one []T, n int)

// broadcastOp adds an elementwise operation on inputs that are broadcast to a common shape by NumPy's rule. grad
// returns gradients of the common shape, which are then summed to the shapes of the inputs.
func broadcastOp(name string, in []*G.Node, diff []bool, grad gradient, f32 elementFn[float32],
	f64 elementFn[float64]) (*G.Node, error) {
	return broadcastRows(name, in, diff, grad, f32, f64, nil, nil)
}

// broadcastRows is broadcastOp with a second form of the same function, for an input that has one element per row of
// the other, as in arithmetic with one number per channel.
func broadcastRows(name string, in []*G.Node, diff []bool, grad gradient, f32 elementFn[float32],
	f64 elementFn[float64],
	rows32 rowFn[float32], rows64 rowFn[float64]) (*G.Node, error) {
	if err := wantOneType(name, in...); err != nil {
		return nil, err
	}
	shapes := make([]tensor.Shape, len(in))
	for i, x := range in {
		shapes[i] = x.Shape()
	}
	to, err := broadcastShape(name, shapes...)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(shapes, func(s tensor.Shape) bool { return !sameShape(s, to) }) {
		return broadcastCard(name, to, shapes)(floatOp(name, to, in, diff, grad, elementRun(f32), elementRun(f64)))
	}
	summed := func(in G.Nodes, out, g *G.Node, need []bool) (G.Nodes, error) {
		gs, err := grad(in, out, g, need)
		for i := range gs {
			if err == nil && need[i] {
				gs[i], err = sumTo(gs[i], in[i].Shape())
			}
		}
		return gs, err
	}
	if grad == nil {
		summed = nil
	}
	return broadcastCard(name, to, shapes)(floatOp(name, to, in, diff, summed, broadcastRun(to, shapes, f32, rows32),
		broadcastRun(to, shapes, f64, rows64)))
}

// elementRun computes an elementwise function of inputs of one shape, on all samples at once where they are contiguous.
func elementRun[T kernel.Float](f elementFn[T]) func(*call[T]) error {
	var args [][]T
	return func(c *call[T]) error {
		if args == nil {
			args = make([][]T, len(c.in))
		}
		out, whole := c.out.flat()
		for i, a := range c.in {
			var ok bool
			args[i], ok = a.flat()
			whole = whole && ok
		}
		if !whole {
			return perSample(c, f)
		}
		f(out, args)
		return nil
	}
}

func broadcastRun[T kernel.Float](to tensor.Shape, shapes []tensor.Shape, f elementFn[T],
	rows rowFn[T]) func(*call[T]) error {
	strides := make([][]int, len(shapes))
	for i, s := range shapes {
		strides[i] = alignedStrides(s, to)
	}
	w := newWalk(to, strides...)
	if rows != nil {
		if run := blockRun(w, rows); run != nil {
			return run
		}
	}
	whole, args := make([][]T, len(shapes)), make([][]T, len(shapes))
	return func(c *call[T]) error {
		for i := range whole {
			whole[i] = c.flat(i)
		}
		out := c.out.data[:c.out.n*c.out.size]
		w.start()
		for more := true; more; more = w.next() {
			for i, at := range w.at {
				n := 1
				if w.step[i] != 0 {
					n = w.run
				}
				args[i] = whole[i][at:][:n]
			}
			f(out[:w.run], args)
			out = out[w.run:]
		}
		return nil
	}
}

// blockRun computes whole blocks of rows where the walk has such blocks: one input is contiguous over all rows of a
// block, and the other has one element for each row, these contiguous as well. Otherwise it returns nil.
func blockRun[T kernel.Float](w *walk, f rowFn[T]) func(*call[T]) error {
	last := len(w.outer) - 1
	if last < 0 || len(w.step) != 2 {
		return nil
	}
	a := 0
	if w.step[a] == 0 {
		a = 1
	}
	b := 1 - a
	if w.step[a] != 1 || w.step[b] != 0 || w.stride[last][a] != w.run || w.stride[last][b] != 1 {
		return nil
	}
	rows, n := w.outer[last], w.run
	w.outer, w.stride, w.count = w.outer[:last], w.stride[:last], w.count[:last]
	return func(c *call[T]) error {
		many, one, out := c.flat(a), c.flat(b), c.out.data[:c.out.n*c.out.size]
		w.start()
		for more := true; more; more = w.next() {
			f(out[:rows*n], many[w.at[a]:][:rows*n], one[w.at[b]:][:rows], n)
			out = out[rows*n:]
		}
		return nil
	}
}

// at returns element i of a run, or the only element where the run has one for all.
func at[T any](x []T, i int) T {
	if len(x) == 1 {
		return x[0]
	}
	return x[i]
}

// anywhere turns a function of two numbers into one of runs, either of which may be a single element that repeats.
func anywhere[T kernel.Float](f func(a, b T) T) elementFn[T] {
	return func(out []T, in [][]T) {
		a, b := in[0], in[1]
		switch {
		case len(b) == len(out) && len(a) == len(out):
			for i, v := range a {
				out[i] = f(v, b[i])
			}
		case len(b) == len(out):
			v := a[0]
			for i, w := range b {
				out[i] = f(v, w)
			}
		default:
			w := b[0]
			for i, v := range a {
				out[i] = f(v, w)
			}
		}
	}
}
