package onnx

import (
	"slices"
)

// paramOf returns a constant as a parameter.
func paramOf(suffix string, v *value) *param {
	return &param{suffix: suffix, from: v.name, shape: slices.Clone(v.c.shape), values: v.c.float32s}
}

// isParam tells whether a value can become a parameter of a layer.
func (v *value) isParam() bool {
	return v != nil && v.c != nil && v.static && v.elem.isFloat() && v.c.len() > 0
}

// layer adds an instruction with parameters.
func (t *tracer) layer(n *node, kind string, shape []int, b batching, a any, params []*param,
	in ...*value) (*value, error) {
	v, err := t.add(n, kind, in[0].elem, shape, b, a, in...)
	if err == nil && v.inst != nil {
		v.inst.params = params
	}
	return v, err
}

// reshaped gives a value leading and trailing axes of size 1, constants included.
func (c *chain) reshaped(v *value, lead, trail int) *value {
	if c.err != nil {
		return nil
	}
	shape := slices.Concat(slices.Repeat([]int{1}, lead), v.shape, slices.Repeat([]int{1}, trail))
	if v.c != nil {
		out := *v
		out.shape, out.c = shape, v.c.reshaped(shape...)
		return &out
	}
	return c.reshape(v, shape...)
}
