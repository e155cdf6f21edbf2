package onnx

import (
	"fmt"
	"slices"
)

func lowerPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	if err := x.first(); err != nil {
		return nil, err
	}
	a, err := windowOf(n, x, n.ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	kind := map[string]string{"MaxPool": "MaxPool", "AveragePool": "AvgPool"}[n.op]
	v, err := t.add(n, kind, x.elem, append(slices.Clone(x.shape[:2]), spatial...), x.batch, a, x)
	if err != nil || len(n.out) < 2 || n.out[1] == "" || v.inst == nil {
		return one(v, err)
	}
	if x.batch.is {
		return nil, unsupportedf("positions of the maxima depend on the place of a sample in its batch")
	}
	i := *a
	i.columnMajor = n.int("storage_order", 0) != 0
	index, err := t.add(n, "MaxPoolIndex", elemInt64, v.shape, v.batch, &i, x)
	return []*value{v, index}, err
}

// lowerLpPool computes (Σ |x|^p)^(1/p) with average pooling.
func lowerLpPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, p := in[0], float64(n.int("p", 2))
	if err := x.first(); err != nil {
		return nil, err
	}
	a, err := windowOf(n, x, n.ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	if a.ceil {
		return nil, unsupportedf("ceil_mode")
	}
	a.includePad = true
	spatial, err := a.over(x.shape[2:])
	if err != nil {
		return nil, err
	}
	c := &chain{t: t, n: n}
	powers := c.binary("Pow", c.unary(x, "Abs"), literal(x.elem, p))
	means := c.do(func() (*value, error) {
		return t.add(n, "AvgPool", x.elem, append(slices.Clone(x.shape[:2]), spatial...), x.batch, a, powers)
	})
	sums := c.binary("Mul", means, literal(x.elem, float64(product(a.kernel))))
	return c.result(c.binary("Pow", sums, literal(x.elem, 1/p)))
}

func lowerGlobalPool(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	if x.rank() < 3 {
		return nil, fmt.Errorf("input: expected shape [batch, channels, spatial axes], got %v", x.shape)
	}
	var axes []int
	for i := 2; i < x.rank(); i++ {
		axes = append(axes, i)
	}
	fn := "Mean"
	if n.op == "GlobalMaxPool" {
		fn = "Max"
	}
	return one(t.reduce(n, x, fn, axes))
}
