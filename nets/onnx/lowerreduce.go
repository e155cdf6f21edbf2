package onnx

import (
	"fmt"
	"slices"
)

func (c *chain) reduce(x *value, fn string, axes []int) *value {
	return c.do(func() (*value, error) { return c.t.reduce(c.n, x, fn, axes) })
}

type reduceAttrs struct {
	fn   string // Sum, Mean, Max, Min, Prod, LogSumExp
	axes []int
}

// reduce adds a reduction that keeps its axes with length one.
func (t *tracer) reduce(n *node, x *value, fn string, axes []int) (*value, error) {
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	shape := slices.Clone(x.shape)
	for _, a := range axes {
		shape[a] = 1
	}
	return t.add(n, "Reduce", x.elem, shape, x.batch, &reduceAttrs{fn, axes}, x)
}

func lowerReduce(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("its axes are computed from images")
		}
		c = v.c
	}
	axes, kept, out, err := reduceTo(n, x.shape, c)
	if err != nil {
		return nil, err
	}
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	ch := &chain{t: t, n: n}
	if len(axes) == 0 && (n.op == "ReduceSum" || n.op == "ReduceMean" || n.op == "ReduceMax" || n.op == "ReduceMin" ||
		n.op == "ReduceProd") {
		return lowerIdentity(t, n, in[:1])
	}
	v := x
	if n.op == "ReduceL1" {
		v = ch.unary(v, "Abs")
	}
	if n.op == "ReduceL2" || n.op == "ReduceSumSquare" {
		v = ch.unary(v, "Square")
	}
	if len(axes) > 0 {
		fn := map[string]string{"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max", "ReduceMin": "Min",
			"ReduceProd":      "Prod",
			"ReduceLogSumExp": "LogSumExp"}[n.op]
		if fn == "" {
			fn = "Sum"
		}
		v = ch.reduce(v, fn, axes)
	}
	switch n.op {
	case "ReduceL2":
		v = ch.unary(v, "Sqrt")
	case "ReduceLogSum":
		v = ch.unary(v, "Log")
	}
	if ch.err != nil {
		return nil, ch.err
	}
	if v.c != nil || slices.Equal(kept, out) {
		return []*value{v}, nil
	}
	b := x.batch
	for _, a := range axes {
		if b.is && a < x.batch.axis {
			b.axis--
		}
	}
	return one(t.add(n, "Reshape", x.elem, out, b, nil, v))
}

func lowerSoftmax(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	otherwise := -1
	if n.opset < 13 {
		otherwise = 1
	}
	if x.rank() == 0 {
		return nil, fmt.Errorf("input: expected at least one axis, got shape %v", x.shape)
	}
	axis, err := axisIn(n.int("axis", otherwise), x.rank())
	if err != nil {
		return nil, err
	}
	if n.opset >= 13 || axis == x.rank()-1 || product(x.shape[axis+1:]) == 1 {
		if err := x.apart(axis); err != nil {
			return nil, err
		}
		return one(t.add(n, n.op, x.elem, x.shape, x.batch, &axisAttrs{axis}, x))
	}
	// Before opset 13, the given axis and all axes behind it count as one axis.
	c := &chain{t: t, n: n}
	for a := axis; a < x.rank(); a++ {
		if err := x.apart(a); err != nil {
			return nil, err
		}
	}
	flat := c.reshape(x, append(slices.Clone(x.shape[:axis]), product(x.shape[axis:]))...)
	soft := c.do(func() (*value, error) {
		return t.add(n, n.op, x.elem, flat.shape, flat.batch, &axisAttrs{axis}, flat)
	})
	return c.result(c.reshape(soft, x.shape...))
}
