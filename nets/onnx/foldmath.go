package onnx

import (
	"fmt"
	"math"
)

// unaryMath maps operators to functions of one number. The second function, if there is one, is for integers.
var unaryMath = map[string]struct {
	f func(float64) float64
	i func(int64) int64
}{
	"Neg":        {func(v float64) float64 { return -v }, func(v int64) int64 { return -v }},
	"Abs":        {math.Abs, func(v int64) int64 { return max(v, -v) }},
	"Sqrt":       {math.Sqrt, nil},
	"Reciprocal": {func(v float64) float64 { return 1 / v }, nil},
	"Exp":        {math.Exp, nil}, "Log": {math.Log, nil}, "Erf": {math.Erf, nil},
	"Sin": {math.Sin, nil}, "Cos": {math.Cos, nil}, "Tan": {math.Tan, nil}, "Tanh": {math.Tanh, nil},
	"Sinh": {math.Sinh, nil}, "Cosh": {math.Cosh, nil}, "Asin": {math.Asin, nil}, "Acos": {math.Acos, nil},
	"Atan":  {math.Atan, nil},
	"Asinh": {math.Asinh, nil}, "Acosh": {math.Acosh, nil}, "Atanh": {math.Atanh, nil},
	"Floor": {math.Floor, same}, "Ceil": {math.Ceil, same}, "Round": {math.RoundToEven, same},
	"Sigmoid":    {func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, nil},
	"Relu":       {func(v float64) float64 { return max(v, 0) }, func(v int64) int64 { return max(v, 0) }},
	"Softplus":   {func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }, nil},
	"Softsign":   {func(v float64) float64 { return v / (1 + math.Abs(v)) }, nil},
	"Sign":       {signOf, func(v int64) int64 { return int64(signOf(float64(v))) }},
	"Identity":   {func(v float64) float64 { return v }, same},
	"Not":        {nil, func(v int64) int64 { return 1 - v }},
	"BitwiseNot": {nil, func(v int64) int64 { return ^v }},
}

func same(v int64) int64 { return v }

func signOf(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

func foldUnary(f struct {
	f func(float64) float64
	i func(int64) int64
}) folding {
	return func(_ *tracer, n *node, in []*constant) ([]*constant, error) {
		if err := wantInputs(in, 1, 1); err != nil {
			return nil, err
		}
		x := in[0]
		out := newConstant(x.elem, x.shape...)
		switch {
		case x.i64 != nil && f.i != nil:
			for i, v := range x.i64 {
				out.i64[i] = x.elem.wrap(f.i(v))
			}
		case x.elem.isFloat() && f.f != nil:
			for i := range x.len() {
				out.set(i, f.f(x.at(i)))
			}
		default:
			return nil, fmt.Errorf("input of %v", x.elem)
		}
		return []*constant{out}, nil
	}
}

type binaryFunc struct {
	f       func(a, b float64) float64
	i       func(a, b int64) int64
	compare bool // the result is bool
	many    bool // the operator takes any number of inputs
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func truthInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// binaryMath maps operators to functions of two numbers.
var binaryMath = map[string]binaryFunc{
	"Add": {f: func(a, b float64) float64 { return a + b }, i: func(a, b int64) int64 { return a + b }},
	"Sub": {f: func(a, b float64) float64 { return a - b }, i: func(a, b int64) int64 { return a - b }},
	"Mul": {f: func(a, b float64) float64 { return a * b }, i: func(a, b int64) int64 { return a * b }},
	"Div": {f: func(a, b float64) float64 { return a / b }, i: divide},
	"Pow": {f: math.Pow, i: func(a, b int64) int64 { return toInt(math.Pow(float64(a), float64(b))) }},
	"Mod": {f: math.Mod, i: func(a, b int64) int64 {
		if b == 0 {
			return 0
		}
		return a - b*int64(math.Floor(float64(a)/float64(b)))
	}},
	"Min": {f: func(a, b float64) float64 { return min(a, b) }, i: func(a, b int64) int64 { return min(a, b) },
		many: true},
	"Max": {f: func(a, b float64) float64 { return max(a, b) }, i: func(a, b int64) int64 { return max(a, b) },
		many: true},
	"Sum": {f: func(a, b float64) float64 { return a + b }, i: func(a, b int64) int64 { return a + b }, many: true},

	"Equal": {f: func(a, b float64) float64 { return truth(a == b) },
		i: func(a, b int64) int64 { return truthInt(a == b) }, compare: true},
	"Less": {f: func(a, b float64) float64 { return truth(a < b) },
		i: func(a, b int64) int64 { return truthInt(a < b) }, compare: true},
	"LessOrEqual": {f: func(a, b float64) float64 { return truth(a <= b) },
		i: func(a, b int64) int64 { return truthInt(a <= b) }, compare: true},
	"Greater": {f: func(a, b float64) float64 { return truth(a > b) },
		i: func(a, b int64) int64 { return truthInt(a > b) }, compare: true},
	"GreaterOrEqual": {f: func(a, b float64) float64 { return truth(a >= b) },
		i: func(a, b int64) int64 { return truthInt(a >= b) }, compare: true},
	"And":        {i: func(a, b int64) int64 { return a & b }, compare: true},
	"Or":         {i: func(a, b int64) int64 { return a | b }, compare: true},
	"Xor":        {i: func(a, b int64) int64 { return a ^ b }, compare: true},
	"BitwiseAnd": {i: func(a, b int64) int64 { return a & b }},
	"BitwiseOr":  {i: func(a, b int64) int64 { return a | b }},
	"BitwiseXor": {i: func(a, b int64) int64 { return a ^ b }},
}

func divide(a, b int64) int64 {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0
	}
	return a / b
}

func foldBinary(name string, f binaryFunc) folding {
	return func(t *tracer, n *node, in []*constant) ([]*constant, error) {
		least, most := 2, 2
		if f.many {
			least, most = 1, -1
		}
		if err := wantInputs(in, least, most); err != nil {
			return nil, err
		}
		g := f
		if name == "Mod" && n.int("fmod", 0) != 0 {
			g.i = func(a, b int64) int64 {
				if b == 0 {
					return 0
				}
				return a % b
			}
		}
		out := in[0]
		for _, b := range in[1:] {
			if b == nil {
				return nil, fmt.Errorf("an input is left out")
			}
			var err error
			if out, err = t.pairwise(g, out, b); err != nil {
				return nil, err
			}
		}
		return []*constant{out}, nil
	}
}

func (t *tracer) pairwise(f binaryFunc, a, b *constant) (*constant, error) {
	if (a.i64 == nil) != (b.i64 == nil) && f.f == nil || a.elem != b.elem && f.compare {
		return nil, fmt.Errorf("inputs of %v and %v", a.elem, b.elem)
	}
	shape, err := broadcast(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	e := a.elem
	if f.compare {
		e = elemBool
	}
	if err := t.spend(units(e, product(shape))); err != nil {
		return nil, err
	}
	out := newConstant(e, shape...)
	if out.len() == 0 {
		return out, nil
	}
	strides := [][]int{broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)}
	switch {
	case a.i64 != nil && b.i64 != nil && f.i != nil:
		walk(shape, strides, func(i int, at []int) { out.i64[i] = e.wrap(f.i(a.i64[at[0]], b.i64[at[1]])) })
	case f.f != nil:
		walk(shape, strides, func(i int, at []int) { out.set(i, f.f(a.at(at[0]), b.at(at[1]))) })
	default:
		return nil, fmt.Errorf("inputs of %v", a.elem)
	}
	return out, nil
}

func foldCast(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	return castTo(elem(n.int("to", 0)), in[0])
}

func foldCastLike(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	return castTo(in[1].elem, in[0])
}

func castTo(e elem, x *constant) ([]*constant, error) {
	if !e.known() {
		return nil, unsupportedf("a cast to %v", e)
	}
	if e == x.elem {
		return []*constant{x}, nil
	}
	out := newConstant(e, x.shape...)
	for i := range x.len() {
		if x.i64 != nil && out.i64 != nil {
			out.i64[i] = e.wrap(x.i64[i])
		} else {
			out.set(i, x.at(i))
		}
	}
	return []*constant{out}, nil
}

func foldWhere(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	c, a, b := in[0], in[1], in[2]
	shape, err := broadcast(c.shape, a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if c.elem != elemBool || a.elem != b.elem {
		return nil, fmt.Errorf("a condition of %v, choices of %v and %v", c.elem, a.elem, b.elem)
	}
	if err := t.room(a.elem, product(shape)); err != nil {
		return nil, err
	}
	out := newConstant(a.elem, shape...)
	walk(shape, [][]int{broadcastStrides(c.shape, shape), broadcastStrides(a.shape, shape),
		broadcastStrides(b.shape, shape)}, func(i int, at []int) {
		if c.i64[at[0]] != 0 {
			a.into(out, i, at[1], 1)
		} else {
			b.into(out, i, at[2], 1)
		}
	})
	return []*constant{out}, nil
}

func foldClip(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	lo, hi, err := clipBounds(n, arg(in, 1), arg(in, 2))
	if err != nil {
		return nil, err
	}
	out := newConstant(in[0].elem, in[0].shape...)
	for i := range out.len() {
		out.set(i, min(max(in[0].at(i), lo), hi))
	}
	return []*constant{out}, nil
}

// clipBounds returns the bounds of a Clip: attributes before opset 11, inputs from then on.
func clipBounds(n *node, low, high *constant) (lo, hi float64, err error) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if n.opset < 11 {
		return n.float("min", lo), n.float("max", hi), nil
	}
	for _, b := range []struct {
		c  *constant
		to *float64
	}{{low, &lo}, {high, &hi}} {
		if b.c == nil {
			continue
		}
		if b.c.len() != 1 {
			return 0, 0, fmt.Errorf("bound: expected a scalar, got shape %v", b.c.shape)
		}
		*b.to = b.c.at(0)
	}
	return lo, hi, nil
}
