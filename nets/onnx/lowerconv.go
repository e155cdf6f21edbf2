package onnx

import (
	"fmt"
	"slices"
)

func lowerConv(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 3); err != nil {
		return nil, err
	}
	x, w, bias := in[0], in[1], arg(in, 2)
	if w.rank() != x.rank() || w.rank() < 3 {
		return nil, fmt.Errorf("input of shape %v, weight of shape %v", x.shape, w.shape)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	if k := n.ints("kernel_shape"); k != nil && !slices.Equal(k, w.shape[2:]) {
		return nil, fmt.Errorf("kernel_shape %v, weight of shape %v", k, w.shape)
	}
	a, err := windowOf(n, x, w.shape[2:])
	if err != nil {
		return nil, err
	}
	if g := a.groups; g < 1 || x.shape[1]%g != 0 || w.shape[0]%g != 0 || w.shape[1] != x.shape[1]/g {
		return nil, fmt.Errorf("input of shape %v, weight of shape %v, %d groups", x.shape, w.shape, g)
	}
	if bias != nil && (bias.rank() != 1 || bias.shape[0] != w.shape[0]) {
		return nil, fmt.Errorf("weight of shape %v, bias of shape %v", w.shape, bias.shape)
	}
	if w.batch.is || bias != nil && bias.batch.is {
		return nil, unsupportedf("its weights are computed from images")
	}
	a.ceil = false
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	if len(spatial) > 2 {
		return nil, unsupportedf("expected a convolution over 1 or 2 axes, got %d", len(spatial))
	}
	shape := append([]int{x.shape[0], w.shape[0]}, spatial...)
	if len(spatial) == 1 {
		return lowerConv1D(t, n, x, w, bias, a, shape)
	}
	return one(t.conv(n, x, w, bias, a, shape))
}

func (t *tracer) conv(n *node, x, w, bias *value, a *windowAttrs, shape []int) (*value, error) {
	if w.isParam() && (bias == nil || bias.isParam()) {
		params := []*param{paramOf("weight", w)}
		if bias != nil {
			params = append(params, paramOf("bias", bias))
		}
		return t.layer(n, "Conv", shape, x.batch, a, params, x)
	}
	args := []*value{x, w}
	if bias != nil {
		args = append(args, bias)
	}
	return t.add(n, "Conv", x.elem, shape, x.batch, a, args...)
}

// lowerConv1D turns a convolution over one axis into one over two axes, of which the first has length one.
func lowerConv1D(t *tracer, n *node, x, w, bias *value, a *windowAttrs, shape []int) ([]*value, error) {
	c := &chain{t: t, n: n}
	a = &windowAttrs{
		kernel: []int{1, a.kernel[0]}, stride: []int{1, a.stride[0]}, dilation: []int{1, a.dilation[0]},
		begin: []int{0, a.begin[0]}, end: []int{0, a.end[0]}, groups: a.groups,
	}
	wide := c.reshape(x, x.shape[0], x.shape[1], 1, x.shape[2])
	if w.c != nil {
		v := *w
		v.shape = []int{w.shape[0], w.shape[1], 1, w.shape[2]}
		v.c = w.c.reshaped(v.shape...)
		w = &v
	} else {
		w = c.reshape(w, w.shape[0], w.shape[1], 1, w.shape[2])
	}
	y := c.do(func() (*value, error) {
		return t.conv(n, wide, w, bias, a, []int{shape[0], shape[1], 1, shape[2]})
	})
	return c.result(c.reshape(y, shape...))
}
