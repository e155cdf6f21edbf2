package onnx

import (
	"fmt"
	"slices"
)

type normAttrs struct {
	axis, groups int
	eps          float64
}

func lowerBatchNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 5, 5); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 2 {
		return nil, fmt.Errorf("input: expected shape [batch, channels, ...], got %v", x.shape)
	}
	if n.int("training_mode", 0) != 0 || n.opset < 9 && n.int("spatial", 1) == 0 {
		return nil, unsupportedf("it is in training mode, or not by channel")
	}
	if err := x.apart(1); err != nil {
		return nil, err
	}
	eps := n.float("epsilon", 1e-5)
	params, known := []*param{}, true
	for i, suffix := range []string{"weight", "bias", "running_mean", "running_var"} {
		v := in[1+i]
		if v.rank() != 1 || v.shape[0] != x.shape[1] {
			return nil, fmt.Errorf("input of shape %v, %s of shape %v", x.shape, suffix, v.shape)
		}
		if known = known && v.isParam(); known {
			p := paramOf(suffix, v)
			p.buffer = i >= 2
			params = append(params, p)
		}
	}
	if known && x.batch.plain() {
		return one(t.layer(n, "BatchNorm", x.shape, x.batch, &normAttrs{eps: eps}, params, x))
	}
	c := &chain{t: t, n: n}
	channel := func(v *value) *value { return c.reshaped(v, 1, x.rank()-2) }
	scale := c.binary("Div", in[1], c.unary(c.binary("Add", in[4], literal(x.elem, eps)), "Sqrt"))
	y := c.binary("Mul", c.binary("Sub", x, channel(in[3])), channel(scale))
	return c.result(c.binary("Add", y, channel(in[2])))
}

func lowerLayerNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	most := 3
	if n.op == "RMSNormalization" {
		most = 2
	}
	if err := wantInputs(in, 2, most); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", -1), x.rank())
	if err != nil {
		return nil, err
	}
	var axes []int
	for a := axis; a < x.rank(); a++ {
		axes = append(axes, a)
	}
	if err := x.apart(axes...); err != nil {
		return nil, err
	}
	a := &normAttrs{axis: axis, eps: n.float("epsilon", 1e-5)}
	kind := map[string]string{"LayerNormalization": "LayerNorm", "RMSNormalization": "RMSNorm"}[n.op]
	tail := x.shape[axis:]
	params, args := []*param{}, []*value{x}
	known := in[1].isParam() && (arg(in, 2) == nil || in[2].isParam())
	for i, v := range in[1:] {
		if v == nil {
			continue
		}
		suffix := []string{"weight", "bias"}[i]
		if s, err := broadcast(tail, v.shape); err != nil || !slices.Equal(s, tail) {
			return nil, fmt.Errorf("input of shape %v from axis %d on, %s of shape %v", x.shape, axis, suffix, v.shape)
		}
		if known {
			p := paramOf(suffix, v)
			p.shape, p.values = slices.Clone(tail), func() []float32 { return v.c.expanded(tail).float32s() }
			params = append(params, p)
			continue
		}
		if !slices.Equal(v.shape, tail) {
			if v, err = t.add(n, "Expand", v.elem, tail, v.batch, nil, v); err != nil {
				return nil, err
			}
		}
		args = append(args, v)
	}
	y, err := t.layer(n, kind, x.shape, x.batch, a, params, args...)
	if err != nil || len(n.out) < 2 {
		return one(y, err)
	}
	c := &chain{t: t, n: n}
	mean := c.reduce(x, "Mean", axes)
	variance := c.reduce(c.unary(c.binary("Sub", x, mean), "Square"), "Mean", axes)
	inverse := c.unary(c.unary(c.binary("Add", variance, literal(x.elem, a.eps)), "Sqrt"), "Reciprocal")
	return []*value{y, mean, inverse}, c.err
}

func lowerGroupNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 3 {
		return nil, fmt.Errorf("input: expected shape [batch, channels, spatial axes], got %v", x.shape)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	channels := x.shape[1]
	groups := n.int("num_groups", channels)
	if groups < 1 || channels%groups != 0 {
		return nil, fmt.Errorf("%d channels in %d groups", channels, groups)
	}
	a := &normAttrs{groups: groups, eps: n.float("epsilon", 1e-5)}
	params, args := []*param{}, []*value{x}
	known := in[1].isParam() && in[2].isParam()
	c := &chain{t: t, n: n}
	for i, v := range in[1:] {
		suffix := []string{"weight", "bias"}[i]
		each := 1
		if n.op == "GroupNormalization" && n.opset < 21 && v.rank() == 1 && v.shape[0] == groups {
			each = channels / groups // one number for each group
		} else if v.rank() != 1 || v.shape[0] != channels {
			return nil, fmt.Errorf("input of shape %v, %s of shape %v", x.shape, suffix, v.shape)
		}
		if known {
			p := paramOf(suffix, v)
			p.shape = []int{channels}
			p.values = func() []float32 {
				return v.c.reshaped(v.c.len(), 1).expanded([]int{v.c.len(), each}).float32s()
			}
			params = append(params, p)
			continue
		}
		if each > 1 {
			wide := c.reshaped(v, 0, 1)
			v = c.do(func() (*value, error) {
				return t.add(n, "Expand", v.elem, []int{groups, each}, batching{}, nil, wide)
			})
			v = c.reshape(v, channels)
		}
		args = append(args, v)
	}
	if c.err != nil {
		return nil, c.err
	}
	return one(t.layer(n, "GroupNorm", x.shape, x.batch, a, params, args...))
}

type lrnAttrs struct {
	size              int
	alpha, beta, bias float64
}

func lowerLRN(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	a := &lrnAttrs{n.int("size", 0), n.float("alpha", 1e-4), n.float("beta", 0.75), n.float("bias", 1)}
	if x.rank() < 2 || a.size < 1 {
		return nil, fmt.Errorf("input of shape %v, size %d", x.shape, a.size)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	return one(t.add(n, "LRN", x.elem, x.shape, x.batch, a, x))
}

func lowerMVN(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, axes := in[0], n.ints("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	axes, err := axesIn(axes, x.rank())
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	centred := c.binary("Sub", x, c.reduce(x, "Mean", axes))
	deviation := c.unary(c.reduce(c.unary(centred, "Square"), "Mean", axes), "Sqrt")
	return c.result(c.binary("Div", centred, c.binary("Add", deviation, literal(x.elem, 1e-9))))
}

func lowerLpNorm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", -1), x.rank())
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	if n.int("p", 2) == 1 {
		return c.result(c.binary("Div", x, c.reduce(c.unary(x, "Abs"), "Sum", []int{axis})))
	}
	return c.result(c.binary("Div", x, c.unary(c.reduce(c.unary(x, "Square"), "Sum", []int{axis}), "Sqrt")))
}
