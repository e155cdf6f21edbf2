package onnx

import (
	"fmt"
	"slices"
)

// unaryAttrs describes a function of one variable: fn is its name in ONNX, the other fields are its parameters.
type unaryAttrs struct {
	fn          string
	alpha, beta float64
}

// activations maps operators of one input to the names and the defaults of their attributes.
var activations = map[string]struct {
	alpha, beta               string
	defaultAlpha, defaultBeta float64
}{
	"Relu": {}, "Sigmoid": {}, "Tanh": {}, "HardSwish": {}, "Softplus": {}, "Softsign": {}, "Mish": {}, "Gelu": {},
	"Exp": {}, "Log": {}, "Sqrt": {}, "Reciprocal": {}, "Abs": {}, "Neg": {}, "Erf": {}, "Sin": {}, "Cos": {},
	"Floor": {}, "Ceil": {}, "Round": {}, "Sign": {}, "Not": {},
	"LeakyRelu":       {"alpha", "", 0.01, 0},
	"Elu":             {"alpha", "", 1, 0},
	"Celu":            {"alpha", "", 1, 0},
	"Selu":            {"alpha", "gamma", 1.67326319217681884765625, 1.05070102214813232421875},
	"HardSigmoid":     {"alpha", "beta", 0.2, 0.5},
	"Swish":           {"alpha", "", 1, 0},
	"ThresholdedRelu": {"alpha", "", 1, 0},
	"Shrink":          {"lambd", "bias", 0.5, 0},
	"Tan":             {}, "Sinh": {}, "Cosh": {}, "Asinh": {}, "Acosh": {}, "Atanh": {},
}

func (t *tracer) unary(n *node, x *value, fn string, args ...float64) (*value, error) {
	a := &unaryAttrs{fn: fn}
	if len(args) > 0 {
		a.alpha = args[0]
	}
	if len(args) > 1 {
		a.beta = args[1]
	}
	return t.add(n, "Unary", x.elem, x.shape, x.batch, a, x)
}

func lowerUnary(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, a := in[0], activations[n.op]
	alpha, beta := a.defaultAlpha, a.defaultBeta
	if a.alpha != "" {
		alpha = n.float(a.alpha, alpha)
	}
	if a.beta != "" {
		beta = n.float(a.beta, beta)
	}
	c := &chain{t: t, n: n}
	switch n.op {
	case "Gelu":
		if n.str("approximate", "none") == "tanh" {
			return one(t.unary(n, x, "GeluTanh"))
		}
	case "ThresholdedRelu": // x where x > alpha
		return c.result(c.where(c.binary("Less", c.literal(x.elem, alpha), x), x, c.literal(x.elem, 0)))
	case "Shrink": // x + bias below -lambd, x - bias above lambd
		zero := c.literal(x.elem, 0)
		low := c.where(c.binary("Less", x, c.literal(x.elem, -alpha)), c.binary("Add", x, c.literal(x.elem, beta)),
			zero)
		return c.result(c.where(c.binary("Less", c.literal(x.elem, alpha), x),
			c.binary("Sub", x, c.literal(x.elem, beta)), low))
	case "Tan":
		return c.result(c.binary("Div", c.unary(x, "Sin"), c.unary(x, "Cos")))
	case "Sinh", "Cosh":
		op := map[string]string{"Sinh": "Sub", "Cosh": "Add"}[n.op]
		return c.result(c.binary("Mul", c.binary(op, c.unary(x, "Exp"), c.unary(c.unary(x, "Neg"), "Exp")),
			c.literal(x.elem, 0.5)))
	case "Asinh", "Acosh": // log(x + √(x² ± 1))
		root := c.unary(c.binary("Add", c.unary(x, "Square"),
			c.literal(x.elem, map[string]float64{"Asinh": 1, "Acosh": -1}[n.op])), "Sqrt")
		return c.result(c.unary(c.binary("Add", x, root), "Log"))
	case "Atanh": // ½ log((1 + x) / (1 - x))
		one := c.literal(x.elem, 1)
		return c.result(c.binary("Mul", c.unary(c.binary("Div", c.binary("Add", one, x), c.binary("Sub", one, x)),
			"Log"), c.literal(x.elem, 0.5)))
	}
	return one(t.unary(n, x, n.op, alpha, beta))
}

func (c *chain) unary(x *value, fn string, args ...float64) *value {
	return c.do(func() (*value, error) { return c.t.unary(c.n, x, fn, args...) })
}

func (c *chain) binary(op string, a, b *value) *value {
	return c.do(func() (*value, error) { return c.t.binary(c.n, op, a, b) })
}

func (c *chain) where(m, a, b *value) *value {
	return c.do(func() (*value, error) { return c.t.where(c.n, m, a, b) })
}

var compares = map[string]bool{"Equal": true, "Less": true, "LessOrEqual": true, "And": true, "Or": true, "Xor": true}

// binary adds an elementwise operation on two values, at least one of which is computed from images.
func (t *tracer) binary(n *node, op string, a, b *value) (*value, error) {
	in, shape, batch, err := t.elementwise(a, b)
	if err != nil {
		return nil, err
	}
	e := a.elem
	if compares[op] {
		e = elemBool
	}
	if a.c != nil && b.c != nil {
		c, err := t.pairwise(binaryMath[op], a.c, b.c)
		if err != nil {
			return nil, err
		}
		return constantValue(c), nil
	}
	v, err := t.add(n, op, e, shape, batch, nil, in...)
	if err == nil && op == "Div" && !e.isFloat() && v.c == nil {
		return t.truncate(n, v)
	}
	return v, err
}

// truncate adds rounding towards zero.
func (t *tracer) truncate(n *node, x *value) (*value, error) {
	c := &chain{t: t, n: n}
	return c.binary("Mul", c.unary(x, "Sign"), c.unary(c.unary(x, "Abs"), "Floor")), c.err
}

func lowerBinary(t *tracer, n *node, in []*value) ([]*value, error) {
	least, most := 2, 2
	op := n.op
	if binaryMath[op].many {
		least, most = 1, -1
	}
	if op == "Sum" {
		op = "Add"
	}
	if err := wantInputs(in, least, most); err != nil {
		return nil, err
	}
	var err error
	out := in[0]
	for _, v := range in[1:] {
		if v == nil {
			return nil, fmt.Errorf("an input is left out")
		}
		if v.elem != out.elem && op != "Pow" {
			return nil, fmt.Errorf("inputs of %v and %v", out.elem, v.elem)
		}
		if out, err = t.binary(n, op, out, v); err != nil {
			return nil, err
		}
	}
	return []*value{out}, nil
}

func lowerGreater(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	op := map[string]string{"Greater": "Less", "GreaterOrEqual": "LessOrEqual"}[n.op]
	return one(t.binary(n, op, in[1], in[0]))
}

func lowerMean(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, len(in), -1); err != nil || len(in) == 0 {
		return nil, fmt.Errorf("%d inputs, of which some are left out", len(in))
	}
	c := &chain{t: t, n: n}
	sum := in[0]
	for _, v := range in[1:] {
		sum = c.binary("Add", sum, v)
	}
	if len(in) == 1 {
		return lowerIdentity(t, n, in)
	}
	return c.result(c.binary("Mul", sum, literal(in[0].elem, 1/float64(len(in)))))
}

func lowerClip(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	var bounds [2]*constant
	for i := range bounds {
		if v := arg(in, i+1); v != nil {
			if v.c == nil {
				return lowerClipValues(t, n, in)
			}
			bounds[i] = v.c
		}
	}
	lo, hi, err := clipBounds(n, bounds[0], bounds[1])
	if err != nil {
		return nil, err
	}
	return one(t.unary(n, in[0], "Clip", lo, hi))
}

// lowerClipValues clips to computed bounds: max first, then min.
func lowerClipValues(t *tracer, n *node, in []*value) ([]*value, error) {
	c := &chain{t: t, n: n}
	x := in[0]
	if v := arg(in, 1); v != nil {
		x = c.binary("Max", x, v)
	}
	if v := arg(in, 2); v != nil {
		x = c.binary("Min", x, v)
	}
	return c.result(x)
}

func (t *tracer) where(n *node, m, a, b *value) (*value, error) {
	in, shape, batch, err := t.elementwise(m, a, b)
	if err != nil {
		return nil, err
	}
	return t.add(n, "Where", a.elem, shape, batch, nil, in...)
}

func lowerWhere(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	return one(t.where(n, in[0], in[1], in[2]))
}

func lowerPRelu(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	args, shape, batch, err := t.elementwise(in...)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(shape, in[0].shape) {
		return nil, fmt.Errorf("a slope of shape %v for shape %v", in[1].shape, in[0].shape)
	}
	return one(t.add(n, "PRelu", in[0].elem, shape, batch, nil, args...))
}
