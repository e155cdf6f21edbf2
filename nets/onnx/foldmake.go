package onnx

import (
	"fmt"
	"math"
	"slices"
)

func foldConstant(_ *tracer, n *node, _ []*constant) ([]*constant, error) {
	for name, a := range n.attrs {
		var c *constant
		switch name {
		case "value":
			c = a.t
		case "value_float":
			c = newConstant(elemFloat32)
			c.f32[0] = a.GetF()
		case "value_int":
			c = newConstant(elemInt64)
			c.i64[0] = a.GetI()
		case "value_floats":
			c = newConstant(elemFloat32, len(a.GetFloats()))
			copy(c.f32, a.GetFloats())
		case "value_ints":
			c = newConstant(elemInt64, len(a.GetInts()))
			copy(c.i64, a.GetInts())
		}
		if c != nil {
			return []*constant{c}, nil
		}
	}
	return nil, unsupportedf("it has no value that is a dense tensor or numbers")
}

// shapeIn returns the elements of a constant as a shape.
func shapeIn(c *constant) ([]int, error) {
	if c == nil || len(c.shape) > 1 || c.i64 == nil || c.len() > maxRank {
		return nil, fmt.Errorf("expected a shape: a vector of at most %d integers", maxRank)
	}
	return c.ints(), nil
}

func foldConstantOfShape(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	shape, err := shapeIn(in[0])
	if err != nil {
		return nil, err
	}
	size, err := sizeOf(shape)
	if err != nil {
		return nil, err
	}
	e, v := elemFloat32, 0.0
	a := n.attrs["value"]
	if a != nil && a.t != nil {
		if a.t.len() != 1 {
			return nil, fmt.Errorf("its value: expected one element, got shape %v", a.t.shape)
		}
		e, v = a.t.elem, a.t.at(0)
	}
	if err := t.room(e, size); err != nil {
		return nil, err
	}
	c := newConstant(e, shape...)
	if v != 0 {
		for i := range c.f32 {
			c.f32[i] = float32(v)
		}
		for i := range c.f64 {
			c.f64[i] = v
		}
		for i := range c.i64 {
			c.i64[i] = a.t.i64[0]
		}
	}
	return []*constant{c}, nil
}

func foldRange(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	for _, c := range in {
		if c.len() != 1 {
			return nil, fmt.Errorf("inputs: expected scalars, got shapes %v, %v, %v", in[0].shape, in[1].shape,
				in[2].shape)
		}
	}
	start, limit, delta := in[0].at(0), in[1].at(0), in[2].at(0)
	count := max(math.Ceil((limit-start)/delta), 0)
	if delta == 0 || !(count <= maxElements) {
		return nil, fmt.Errorf("a range from %v to %v by %v", start, limit, delta)
	}
	if err := t.room(in[0].elem, int(count)); err != nil {
		return nil, err
	}
	out := newConstant(in[0].elem, int(count))
	for i := range out.len() {
		if out.i64 != nil {
			out.i64[i] = in[0].i64[0] + int64(i)*in[2].intAt(0)
		} else {
			out.set(i, start+float64(i)*delta)
		}
	}
	return []*constant{out}, nil
}

func foldEyeLike(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	s := in[0].shape
	e := elem(n.int("dtype", int(in[0].elem)))
	if len(s) != 2 || !e.known() {
		return nil, fmt.Errorf("input: expected a matrix, got shape %v for elements of %v", s, e)
	}
	out, k := newConstant(e, s...), n.int("k", 0)
	for r := range s[0] {
		if c := r + k; c >= 0 && c < s[1] {
			out.set(r*s[1]+c, 1)
		}
	}
	return []*constant{out}, nil
}

func foldTrilu(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x, k := in[0], 0
	if c := arg(in, 1); c != nil {
		if c.len() != 1 {
			return nil, fmt.Errorf("k: expected a scalar, got shape %v", c.shape)
		}
		k = int(c.intAt(0))
	}
	if len(x.shape) < 2 {
		return nil, fmt.Errorf("input: expected at least 2 axes, got shape %v", x.shape)
	}
	out := x.copied(x.shape, func(f func(dst, src, n, step int)) { f(0, 0, x.len(), 1) })
	rows, cols := x.shape[len(x.shape)-2], x.shape[len(x.shape)-1]
	upper := n.int("upper", 1) != 0
	for i := range x.len() {
		r, c := i/cols%rows, i%cols
		if upper && c < r+k || !upper && c > r+k {
			out.set(i, 0)
		}
	}
	return []*constant{out}, nil
}

func foldNonZero(_ *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	var at []int
	for i := range x.len() {
		if x.at(i) != 0 {
			at = append(at, i)
		}
	}
	out := newConstant(elemInt64, len(x.shape), len(at))
	strides := stridesOf(x.shape)
	for a, s := range strides {
		for j, i := range at {
			out.i64[a*len(at)+j] = int64(i / s % x.shape[a])
		}
	}
	return []*constant{out}, nil
}

func foldOneHot(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	x, values := in[0], in[2]
	if in[1].len() != 1 || values.len() != 2 {
		return nil, fmt.Errorf("depth and values: expected a scalar and two elements, got shapes %v and %v",
			in[1].shape, values.shape)
	}
	depth := int(in[1].intAt(0))
	axis, err := axisIn(n.int("axis", -1), len(x.shape)+1)
	if err != nil {
		return nil, err
	}
	shape := slices.Insert(slices.Clone(x.shape), axis, depth)
	size, err := sizeOf(shape)
	if err == nil {
		err = t.room(values.elem, size)
	}
	if err != nil {
		return nil, err
	}
	out := newConstant(values.elem, shape...)
	inner := product(x.shape[axis:])
	for i := range out.len() {
		hot := x.intAt(i/(inner*depth)*inner + i%inner)
		if hot < 0 {
			hot += int64(depth)
		}
		v := 0
		if int64(i/inner%depth) == hot {
			v = 1
		}
		out.set(i, values.at(v))
	}
	return []*constant{out}, nil
}
