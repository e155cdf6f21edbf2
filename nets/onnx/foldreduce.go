package onnx

import (
	"fmt"
	"math"
	"slices"
)

// reduction is a function over some axes. fold starts with zero and is called with one number after the other; last is
// called with the result and the number of elements.
type reduction struct {
	since int // opset from which on the axes are an input
	zero  float64
	fold  func(sum, v float64) float64
	last  func(sum float64, count int) float64
}

func done(sum float64, _ int) float64 { return sum }

// reductions maps operators to their reductions. ReduceLogSumExp is computed without a shift: constants are small.
var reductions = map[string]reduction{
	"ReduceSum":  {13, 0, binaryAdd, done},
	"ReduceMean": {18, 0, binaryAdd, func(s float64, n int) float64 { return s / float64(n) }},
	"ReduceMax":  {18, math.Inf(-1), func(a, b float64) float64 { return max(a, b) }, done},
	"ReduceMin":  {18, math.Inf(1), func(a, b float64) float64 { return min(a, b) }, done},
	"ReduceProd": {18, 1, func(a, b float64) float64 { return a * b }, done},
	"ReduceL1":   {18, 0, func(a, b float64) float64 { return a + math.Abs(b) }, done},
	"ReduceL2": {18, 0, func(a, b float64) float64 { return a + b*b },
		func(s float64, _ int) float64 { return math.Sqrt(s) }},
	"ReduceSumSquare": {18, 0, func(a, b float64) float64 { return a + b*b }, done},
	"ReduceLogSum":    {18, 0, binaryAdd, func(s float64, _ int) float64 { return math.Log(s) }},
	"ReduceLogSumExp": {18, 0, func(a, b float64) float64 { return a + math.Exp(b) },
		func(s float64, _ int) float64 { return math.Log(s) }},
}

// reduceTo returns the axes of a reduction and the shapes of its result with and without these axes. nil axes mean that
// the result is the input.
func reduceTo(n *node, shape []int, c *constant) (axes, kept, out []int, err error) {
	axes, err = axesOf(n, c, reductions[n.op].since)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(axes) == 0 && n.int("noop_with_empty_axes", 0) == 0 {
		axes = nil
		for i := range shape {
			axes = append(axes, i)
		}
	}
	if axes, err = axesIn(axes, len(shape)); err != nil {
		return nil, nil, nil, err
	}
	kept, out = slices.Clone(shape), []int{}
	for i, d := range shape {
		if slices.Contains(axes, i) {
			kept[i] = 1
		} else {
			out = append(out, d)
		}
	}
	if n.int("keepdims", 1) != 0 {
		out = kept
	}
	return axes, kept, out, nil
}

func foldReduce(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x, r := in[0], reductions[n.op]
	axes, kept, shape, err := reduceTo(n, x.shape, arg(in, 1))
	if err != nil {
		return nil, err
	}
	count := 1
	for _, a := range axes {
		count *= x.shape[a]
	}
	sums := make([]float64, product(kept))
	for i := range sums {
		sums[i] = r.zero
	}
	if x.len() > 0 {
		// Strides of 0 along the reduced axes map each element to its sum.
		walk(x.shape, [][]int{broadcastStrides(kept, x.shape)}, func(i int, at []int) {
			sums[at[0]] = r.fold(sums[at[0]], x.at(i))
		})
	}
	out := newConstant(x.elem, shape...)
	for i, s := range sums {
		v := r.last(s, count)
		if out.i64 != nil && (math.IsInf(v, 0) || v != v) {
			return nil, fmt.Errorf("no elements of %v to reduce", x.elem)
		}
		out.set(i, v)
	}
	return []*constant{out}, nil
}
