package onnx

import (
	"fmt"
	"math"
	"slices"
)

// foldings holds the operators that are computed on constants of any type.
var foldings map[string]folding

func init() {
	foldings = map[string]folding{
		"Shape": foldShape, "Size": foldSize, "Constant": foldConstant, "ConstantOfShape": foldConstantOfShape, "Range": foldRange,
		"Cast": foldCast, "CastLike": foldCastLike, "Where": foldWhere, "Clip": foldClip,
		"MatMul": foldMatMul, "CumSum": foldCumSum, "EyeLike": foldEyeLike, "Trilu": foldTrilu, "NonZero": foldNonZero,
		"OneHot": foldOneHot,
	}
	for name, f := range layoutFoldings {
		foldings[name] = f
	}
	for name, f := range unaryMath {
		foldings[name] = foldUnary(f)
	}
	for name, f := range binaryMath {
		foldings[name] = foldBinary(name, f)
	}
	for name := range reductions {
		foldings[name] = foldReduce
	}
}

// unaryMath holds functions of one number; where the second form is there, it is the one for integers.
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
	"Sinh": {math.Sinh, nil}, "Cosh": {math.Cosh, nil}, "Asin": {math.Asin, nil}, "Acos": {math.Acos, nil}, "Atan": {math.Atan, nil},
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

// wantInputs fails unless the number of inputs is in bounds and the first least are there.
func wantInputs[T any](in []*T, least, most int) error {
	if len(in) < least || most >= 0 && len(in) > most {
		if least == most {
			return fmt.Errorf("%d inputs, expected %d", len(in), least)
		}
		return fmt.Errorf("%d inputs, expected %d to %d", len(in), least, most)
	}
	for i := range least {
		if in[i] == nil {
			return fmt.Errorf("input %d is left out", i)
		}
	}
	return nil
}

// arg returns an optional input.
func arg[T any](in []*T, i int) *T {
	if i < len(in) {
		return in[i]
	}
	return nil
}

type binaryFunc struct {
	f       func(a, b float64) float64
	i       func(a, b int64) int64
	compare bool // the result is bool
	many    bool // any number of inputs
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

// binaryMath holds functions of two numbers.
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
	"Min": {f: func(a, b float64) float64 { return min(a, b) }, i: func(a, b int64) int64 { return min(a, b) }, many: true},
	"Max": {f: func(a, b float64) float64 { return max(a, b) }, i: func(a, b int64) int64 { return max(a, b) }, many: true},
	"Sum": {f: func(a, b float64) float64 { return a + b }, i: func(a, b int64) int64 { return a + b }, many: true},

	"Equal":          {f: func(a, b float64) float64 { return truth(a == b) }, i: func(a, b int64) int64 { return truthInt(a == b) }, compare: true},
	"Less":           {f: func(a, b float64) float64 { return truth(a < b) }, i: func(a, b int64) int64 { return truthInt(a < b) }, compare: true},
	"LessOrEqual":    {f: func(a, b float64) float64 { return truth(a <= b) }, i: func(a, b int64) int64 { return truthInt(a <= b) }, compare: true},
	"Greater":        {f: func(a, b float64) float64 { return truth(a > b) }, i: func(a, b int64) int64 { return truthInt(a > b) }, compare: true},
	"GreaterOrEqual": {f: func(a, b float64) float64 { return truth(a >= b) }, i: func(a, b int64) int64 { return truthInt(a >= b) }, compare: true},
	"And":            {i: func(a, b int64) int64 { return a & b }, compare: true},
	"Or":             {i: func(a, b int64) int64 { return a | b }, compare: true},
	"Xor":            {i: func(a, b int64) int64 { return a ^ b }, compare: true},
	"BitwiseAnd":     {i: func(a, b int64) int64 { return a & b }},
	"BitwiseOr":      {i: func(a, b int64) int64 { return a | b }},
	"BitwiseXor":     {i: func(a, b int64) int64 { return a ^ b }},
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
	if err := t.spend(product(shape)); err != nil {
		return nil, err
	}
	e := a.elem
	if f.compare {
		e = elemBool
	}
	out := newConstant(e, shape...)
	if out.len() == 0 {
		return out, nil
	}
	ia, ib := offsets(shape, broadcastStrides(a.shape, shape)), offsets(shape, broadcastStrides(b.shape, shape))
	switch {
	case a.i64 != nil && b.i64 != nil && f.i != nil:
		for i := range ia {
			out.i64[i] = e.wrap(f.i(a.i64[ia[i]], b.i64[ib[i]]))
		}
	case f.f != nil:
		for i := range ia {
			out.set(i, f.f(a.at(ia[i]), b.at(ib[i])))
		}
	default:
		return nil, fmt.Errorf("inputs of %v", a.elem)
	}
	return out, nil
}

func foldShape(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	return []*constant{intConstant(shapeRange(n, in[0].shape)...)}, nil
}

// shapeRange returns the part of a shape that a Shape node wants (start and end from opset 15).
func shapeRange(n *node, shape []int) []int {
	r := len(shape)
	at := func(v int) int {
		if v < 0 {
			v += r
		}
		return min(max(v, 0), r)
	}
	start, end := at(n.int("start", 0)), at(n.int("end", r))
	return shape[start:max(start, end)]
}

func foldSize(_ *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	c := newConstant(elemInt64)
	c.i64[0] = int64(in[0].len())
	return []*constant{c}, nil
}

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

// wantShape returns the shape that a constant holds.
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
	if err := t.room(size); err != nil {
		return nil, err
	}
	e, v := elemFloat32, 0.0
	a := n.attrs["value"]
	if a != nil && a.t != nil {
		if a.t.len() != 1 {
			return nil, fmt.Errorf("its value has shape %v, expected one element", a.t.shape)
		}
		e, v = a.t.elem, a.t.at(0)
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

// room fails where a constant of n elements is more than folding may still make.
func (t *tracer) room(n int) error {
	if n > t.work {
		return fmt.Errorf("a constant of %d elements: constants of more than %d elements in all are computed", n, foldWork)
	}
	return nil
}

func foldRange(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	for _, c := range in {
		if c.len() != 1 {
			return nil, fmt.Errorf("inputs of shapes %v, %v, %v, expected scalars", in[0].shape, in[1].shape, in[2].shape)
		}
	}
	start, limit, delta := in[0].at(0), in[1].at(0), in[2].at(0)
	count := max(math.Ceil((limit-start)/delta), 0)
	if delta == 0 || !(count <= maxElements) {
		return nil, fmt.Errorf("a range from %v to %v by %v", start, limit, delta)
	}
	if err := t.room(int(count)); err != nil {
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
	if err := t.spend(product(shape)); err != nil {
		return nil, err
	}
	out := newConstant(a.elem, shape...)
	if out.len() == 0 {
		return []*constant{out}, nil
	}
	ic, ia, ib := offsets(shape, broadcastStrides(c.shape, shape)), offsets(shape, broadcastStrides(a.shape, shape)), offsets(shape, broadcastStrides(b.shape, shape))
	for i := range ic {
		from, at := b, ib[i]
		if c.i64[ic[i]] != 0 {
			from, at = a, ia[i]
		}
		if out.i64 != nil {
			out.i64[i] = from.i64[at]
		} else {
			out.set(i, from.at(at))
		}
	}
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
			return 0, 0, fmt.Errorf("a bound of shape %v, expected a scalar", b.c.shape)
		}
		*b.to = b.c.at(0)
	}
	return lo, hi, nil
}

func foldMatMul(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	shape, err := matMulShape(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	sa, sb := slices.Clone(a.shape), slices.Clone(b.shape)
	if len(sa) == 1 {
		sa = []int{1, sa[0]}
	}
	if len(sb) == 1 {
		sb = []int{sb[0], 1}
	}
	m, k, q := sa[len(sa)-2], sa[len(sa)-1], sb[len(sb)-1]
	batch, err := broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, err
	}
	size := product(batch)
	if m > 0 && q > 0 && k > 0 && size > t.work/m/q/k {
		return nil, t.spend(t.work + 1)
	}
	if err := t.spend(size * m * k * q); err != nil {
		return nil, err
	}
	out := newConstant(a.elem, shape...)
	oa := offsets(batch, broadcastStrides(sa[:len(sa)-2], batch))
	ob := offsets(batch, broadcastStrides(sb[:len(sb)-2], batch))
	for i := range oa {
		for r := range m {
			for c := range q {
				sum := 0.0
				for j := range k {
					sum += a.at(oa[i]*m*k+r*k+j) * b.at(ob[i]*k*q+j*q+c)
				}
				out.set((i*m+r)*q+c, sum)
			}
		}
	}
	return []*constant{out}, nil
}

// matMulShape is the shape of a matrix product by numpy's rules.
func matMulShape(a, b []int) ([]int, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("shapes %v and %v, expected at least one axis each", a, b)
	}
	sa, sb := a, b
	if len(a) == 1 {
		sa = []int{1, a[0]}
	}
	if len(b) == 1 {
		sb = []int{b[0], 1}
	}
	if sa[len(sa)-1] != sb[len(sb)-2] {
		return nil, fmt.Errorf("shapes %v and %v do not fit one another", a, b)
	}
	out, err := broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, fmt.Errorf("shapes %v and %v do not fit one another", a, b)
	}
	if len(a) > 1 {
		out = append(out, sa[len(sa)-2])
	}
	if len(b) > 1 {
		out = append(out, sb[len(sb)-1])
	}
	_, err = sizeOf(out)
	return out, err
}

func foldCumSum(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].len() != 1 {
		return nil, fmt.Errorf("an axis of shape %v, expected a scalar", in[1].shape)
	}
	axis, err := axisIn(int(in[1].intAt(0)), len(x.shape))
	if err != nil {
		return nil, err
	}
	out := newConstant(x.elem, x.shape...)
	size, inner := x.shape[axis], product(x.shape[axis+1:])
	exclusive, reverse := n.int("exclusive", 0) != 0, n.int("reverse", 0) != 0
	for o := range product(x.shape[:axis]) {
		for i := range inner {
			sum := 0.0
			for s := range size {
				if reverse {
					s = size - 1 - s
				}
				at := (o*size+s)*inner + i
				if exclusive {
					out.set(at, sum)
				}
				sum += x.at(at)
				if !exclusive {
					out.set(at, sum)
				}
			}
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
		return nil, fmt.Errorf("input of shape %v for elements of %v, expected a matrix", s, e)
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
			return nil, fmt.Errorf("k of shape %v, expected a scalar", c.shape)
		}
		k = int(c.intAt(0))
	}
	if len(x.shape) < 2 {
		return nil, fmt.Errorf("input of shape %v, expected at least 2 axes", x.shape)
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
		return nil, fmt.Errorf("depth of shape %v, values of shape %v, expected a scalar and two", in[1].shape, values.shape)
	}
	depth := int(in[1].intAt(0))
	axis, err := axisIn(n.int("axis", -1), len(x.shape)+1)
	if err != nil {
		return nil, err
	}
	shape := slices.Insert(slices.Clone(x.shape), axis, depth)
	size, err := sizeOf(shape)
	if err == nil {
		err = t.room(size)
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
