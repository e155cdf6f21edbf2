package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Reductions take the axes to reduce, negative ones counting from the end; without axes they reduce all. With keep, a
// reduced axis stays in the result with one element. Without keep it is removed, and where no axis is left the result
// has shape [1]. A NaN among the reduced elements makes the result NaN.

// ReduceStep describes a reduction over Axes, none of them negative. Whether reduced axes are kept shows in the
// result's shape.
type ReduceStep struct{ Axes []int }

// places lists the indices at which a slice is true.
func places(named []bool) (at []int) {
	for i, is := range named {
		if is {
			at = append(at, i)
		}
	}
	return at
}

// ReduceSum returns the sum over the given axes of x.
func ReduceSum(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceSum", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceTo("ReduceSum", x, x.Shape(), named, to, sumReducer)
}

// ReduceMean returns the mean over the given axes of x.
func ReduceMean(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceMean", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceTo("ReduceMean", x, x.Shape(), named, to, meanReducer)
}

// ReduceMax returns the maximum over the given axes of x. The gradient goes to the first of equal maxima in row-major
// order.
func ReduceMax(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceMax", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceTo("ReduceMax", x, x.Shape(), named, to, maxReducer)
}

// ReduceMin returns the minimum over the given axes of x. The gradient goes to the first of equal minima in row-major
// order.
func ReduceMin(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceMin", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceTo("ReduceMin", x, x.Shape(), named, to, minReducer)
}

// ReduceProd returns the product over the given axes of x. The gradient is right even where factors are zero.
func ReduceProd(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceProd", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceRows("ReduceProd", x, named, to, rowsProd)
}

// ReduceLogSumExp returns log Σ exp(x) over the given axes of x.
func ReduceLogSumExp(x *G.Node, keep bool, axes ...int) (*G.Node, error) {
	named, to, err := reducedShape("ReduceLogSumExp", x, keep, axes)
	if err != nil {
		return nil, err
	}
	return reduceRows("ReduceLogSumExp", x, named, to, rowsLogSumExp)
}

// reducedShape returns which axes of x a reduction reduces, and the shape of its result.
func reducedShape(name string, x *G.Node, keep bool, axes []int) (named []bool, to tensor.Shape, err error) {
	if err := wantNode(name, x); err != nil {
		return nil, nil, err
	}
	if named, err = wantAxes(name, axes, x.Dims()); err != nil {
		return nil, nil, err
	}
	for i, n := range x.Shape() {
		switch {
		case !named[i]:
			to = append(to, n)
		case keep:
			to = append(to, 1)
		}
	}
	if len(to) == 0 {
		to = tensor.Shape{1}
	}
	return named, to, nil
}

// sumTo sums x to the shape to, which broadcasts to the shape of x: the gradient of that broadcast.
func sumTo(x *G.Node, to tensor.Shape) (*G.Node, error) {
	from := x.Shape()
	if sameShape(from, to) {
		return x, nil
	}
	named := make([]bool, len(from))
	missing := len(from) - len(to)
	for i := range from {
		named[i] = i < missing || to[i-missing] == 1
	}
	return reduceTo("Unbroadcast", x, from, named, to, sumReducer)
}

type reducer int

const (
	sumReducer reducer = iota
	meanReducer
	maxReducer
	minReducer
)

// reduceTo reduces x, read as an array with the given axes, over the named ones. to is the shape of the result.
func reduceTo(name string, x *G.Node, axes tensor.Shape, named []bool, to tensor.Shape, r reducer) (*G.Node, error) {
	kept := make([]int, len(axes)) // the shape of the result, with one element along each reduced axis
	count := 1
	for i, n := range axes {
		kept[i] = n
		if named[i] {
			kept[i], count = 1, count*n
		}
	}
	m := move{from: to, to: x.Shape(), size: axes, src: alignedStrides(kept, axes), dst: rowMajor(axes)}
	grad := func(in G.Nodes, out, grad *G.Node) (g *G.Node, err error) {
		switch r {
		case maxReducer, minReducer:
			return floatOp(name+"'", in[0].Shape(), []*G.Node{grad, out, in[0]}, nil, nil,
				extremeDX[float32](axes, m.src), extremeDX[float64](axes, m.src))
		case meanReducer:
			if grad, err = overCount(grad, count); err != nil {
				return nil, err
			}
		}
		return m.nodeWith(name+"'", grad, same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return reduceTo(name, grad, axes, named, to, sumReducer)
		}))
	}
	s := reduceStages(axes, named)
	return explained(name, ReduceStep{places(named)})(reduceOnCard(s, r, count)(floatOp(name, to, []*G.Node{x},
		first(1), same(grad),
		reduceRun[float32](s, r, count), reduceRun[float64](s, r, count))))
}

// stage reduces the middle axis of an array [outer, k, inner].
type stage struct{ outer, k, inner int }

// reduceStages splits a reduction into reductions over single axes, from the last axis to the first. Neighbouring
// reduced axes count as one.
func reduceStages(axes []int, named []bool) (stages []stage) {
	inner := 1
	for i := len(axes) - 1; i >= 0; {
		k := 1
		j := i
		for ; j >= 0 && (named[j] == named[i] || axes[j] == 1); j-- {
			k *= axes[j]
		}
		switch {
		case !named[i]:
			inner *= k
		case k > 1:
			stages = append(stages, stage{total(axes[:j+1]), k, inner})
		}
		i = j
	}
	return stages
}

func reduceRun[T kernel.Float](stages []stage, r reducer, count int) func(*call[T]) error {
	reduce := kernel.ReduceSum[T]
	switch r {
	case maxReducer:
		reduce = kernel.ReduceMax[T]
	case minReducer:
		reduce = kernel.ReduceMin[T]
	}
	between := 0 // number of elements of intermediate results
	for i, s := range stages {
		if i < len(stages)-1 {
			between += s.outer * s.inner
		}
	}
	return func(c *call[T]) error {
		src, rest := c.flat(0), c.workspace(between)
		if len(stages) == 0 {
			copy(c.out.data, src)
		}
		for i, s := range stages {
			dst := c.out.data
			if i < len(stages)-1 {
				n := s.outer * s.inner
				dst, rest = rest[:n], rest[n:]
			}
			reduce(dst, src, s.outer, s.k, s.inner)
			src = dst
		}
		if r == meanReducer {
			kernel.DivBy(c.out.data, c.out.data, T(count))
		}
		return nil
	}
}

func overCount(x *G.Node, count int) (*G.Node, error) {
	return onCard(divideCard(count))(floatOp("Divide", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) { return overCount(grad, count) }),
		divideRun[float32](count), divideRun[float64](count)))
}

func divideRun[T kernel.Float](count int) func(*call[T]) error {
	return func(c *call[T]) error {
		kernel.DivBy(c.out.data, c.flat(0), T(count))
		return nil
	}
}

// extremeDX hands the gradient of a maximum or minimum to the first element that equals it. strides are the result's
// strides along the axes of x.
func extremeDX[T kernel.Float](axes, strides []int) func(*call[T]) error {
	p := newWalk(axes, strides)
	var taken []bool
	return func(c *call[T]) error {
		grad, out, x, dx := c.flat(0), c.flat(1), c.flat(2), c.out.data
		if taken == nil {
			taken = make([]bool, len(out))
		}
		clear(taken)
		clear(dx[:len(x)])
		p.start()
		for i := 0; i < len(x); i += p.run {
			o := p.at[0]
			for j, v := range x[i:][:p.run] {
				if m := out[o]; !taken[o] && (v == m || v != v && m != m) {
					taken[o], dx[i+j] = true, grad[o]
				}
				o += p.step[0]
			}
			p.next()
		}
		return nil
	}
}

// reduceRows reduces x over the named axes by an operation on rows. It moves those axes to the end where they are not.
func reduceRows(name string, x *G.Node, named []bool, to tensor.Shape, op func(name string, x *G.Node, to tensor.Shape,
	k int) (*G.Node, error)) (*G.Node, error) {
	reduced := places(named)
	var perm []int
	for i := range named {
		if !named[i] {
			perm = append(perm, i)
		}
	}
	kept := len(perm)
	perm = append(perm, reduced...)
	k := x.Shape().TotalSize() / to.TotalSize()
	if !slices.IsSorted(perm) {
		var err error
		if x, err = Transpose(x, perm...); err != nil {
			return nil, err
		}
		for i := range reduced {
			reduced[i] = kept + i
		}
	}
	return explained(name, ReduceStep{reduced})(op(name, x, to, k))
}
