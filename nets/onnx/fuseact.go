package onnx

import (
	"math"
	"slices"
)

// simpleClip turns other instructions that limit numbers into clips, and two successive clips into one.
func (p *program) simpleClip(i *inst) bool {
	lo, hi := math.Inf(-1), math.Inf(1)
	switch {
	case i.kind == "Max" || i.kind == "Min":
		x, v, ok := withScalar(i)
		if !ok || !slices.Equal(x.shape, i.out.shape) {
			return false
		}
		if i.kind == "Max" {
			lo = v
		} else {
			hi = v
		}
		p.become(i, "Unary", &unaryAttrs{"Clip", lo, hi}, []*value{x})
		return true
	case i.kind == "Unary" && i.a.(*unaryAttrs).fn == "Clip":
		a := i.a.(*unaryAttrs)
		if a.alpha == 0 && math.IsInf(a.beta, 1) {
			p.become(i, "Unary", &unaryAttrs{fn: "Relu"}, i.in)
			return true
		}
		lo, hi = a.alpha, a.beta
		if inner := unaryBy(i.in[0], "Relu"); inner != nil && p.single(inner.out) && hi >= 0 {
			p.become(i, "Unary", &unaryAttrs{"Clip", max(lo, 0), hi}, inner.in, inner)
			return true
		}
		if inner := unaryBy(i.in[0], "Clip"); inner != nil && p.single(inner.out) {
			b := inner.a.(*unaryAttrs)
			if l, h := max(lo, b.alpha), min(hi, b.beta); l <= h {
				p.become(i, "Unary", &unaryAttrs{"Clip", l, h}, inner.in, inner)
				return true
			}
		}
	}
	return false
}

// withScalar returns the inputs of a binary operation as a value and a number, if one of them is a number.
func withScalar(i *inst) (x *value, v float64, ok bool) {
	if len(i.in) != 2 {
		return nil, 0, false
	}
	for j := range 2 {
		if v, ok := i.in[j].scalar(); ok && i.in[1-j].c == nil {
			return i.in[1-j], v, true
		}
	}
	return nil, 0, false
}

// square turns powers of 2, 1/2 and -1 into squares, square roots and reciprocals, and products x·x into squares.
func (p *program) square(i *inst) bool {
	switch i.kind {
	case "Pow":
		e, ok := i.in[1].scalar()
		if !ok || i.in[0].c != nil || !slices.Equal(i.in[0].shape, i.out.shape) {
			return false
		}
		fn := map[float64]string{2: "Square", 0.5: "Sqrt", -1: "Reciprocal"}[e]
		if fn == "" {
			return false
		}
		p.become(i, "Unary", &unaryAttrs{fn: fn}, i.in[:1])
		return true
	case "Mul":
		if i.in[0] == i.in[1] && i.in[0].c == nil {
			p.become(i, "Unary", &unaryAttrs{fn: "Square"}, i.in[:1])
			return true
		}
	}
	return false
}

// factors returns the factors of a product: the values and the number that are multiplied, and the instructions that
// multiply them.
func (p *program) factors(v *value, top bool) (values []*value, number float64, taken []*inst) {
	number = 1
	i := v.inst
	if i == nil || i.out != v || i.kind != "Mul" && i.kind != "Div" || !top && !p.single(v) {
		return []*value{v}, 1, nil
	}
	if i.kind == "Div" {
		d, ok := i.in[1].scalar()
		if !ok || d == 0 {
			return []*value{v}, 1, nil
		}
		values, number, taken = p.factors(i.in[0], false)
		return values, number / d, append(taken, i)
	}
	for _, f := range i.in {
		if s, ok := f.scalar(); ok {
			number *= s
			continue
		}
		vs, s, ts := p.factors(f, false)
		values, number, taken = append(values, vs...), number*s, append(taken, ts...)
	}
	return values, number, append(taken, i)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-3*math.Abs(b) }

// scaledBy returns s if v is x·s.
func (p *program) scaledBy(v, x *value) (s float64, taken []*inst, ok bool) {
	if v == x {
		return 1, nil, true
	}
	values, number, taken := p.factors(v, false)
	return number, taken, len(values) == 1 && values[0] == x && len(taken) > 0
}

// plus returns x and the number if v is x plus a number.
func (p *program) plus(v *value) (x *value, number float64, i *inst) {
	if i = by(v, "Add"); i == nil || !p.single(v) {
		return nil, 0, nil
	}
	x, number, ok := withScalar(i)
	if !ok {
		return nil, 0, nil
	}
	return x, number, i
}

// gated finds activations that are a product of x and a function of x.
func (p *program) gated(i *inst) bool {
	if i.kind != "Mul" && i.kind != "Div" {
		return false
	}
	values, number, taken := p.factors(i.out, true)
	if len(values) != 2 || !slices.Equal(values[0].shape, values[1].shape) {
		return false
	}
	for j := range 2 {
		x, f := values[j], values[1-j]
		if !p.single(f) {
			continue
		}
		if a, more := p.gate(x, f, number); a != nil {
			p.become(i, "Unary", a, []*value{x}, append(taken, more...)...)
			return true
		}
	}
	return false
}

// gate recognises number·x·f, where f is computed from x.
func (p *program) gate(x, f *value, number float64) (*unaryAttrs, []*inst) {
	one := near(number, 1)
	if s := unaryBy(f, "Sigmoid"); s != nil && one {
		if alpha, more, ok := p.scaledBy(s.in[0], x); ok {
			return &unaryAttrs{"Swish", alpha, 0}, append(more, s)
		}
	}
	if h := unaryBy(f, "HardSigmoid"); h != nil && one && h.in[0] == x {
		if a := h.a.(*unaryAttrs); near(a.alpha, 1.0/6) && near(a.beta, 0.5) {
			return &unaryAttrs{fn: "HardSwish"}, []*inst{h}
		}
	}
	if c := unaryBy(f, "Clip"); c != nil && near(number, 1.0/6) {
		a := c.a.(*unaryAttrs)
		if from, three, add := p.plus(c.in[0]); add != nil && from == x && three == 3 && a.alpha == 0 && a.beta == 6 {
			return &unaryAttrs{fn: "HardSwish"}, []*inst{add, c}
		}
	}
	if t := unaryBy(f, "Tanh"); t != nil && one {
		if s := unaryBy(t.in[0], "Softplus"); s != nil && s.in[0] == x && p.single(s.out) {
			return &unaryAttrs{fn: "Mish"}, []*inst{s, t}
		}
	}
	inner, c, add := p.plus(f)
	if add == nil || c != 1 || !near(number, 0.5) || !p.single(inner) {
		return nil, nil
	}
	if e := unaryBy(inner, "Erf"); e != nil {
		if s, more, ok := p.scaledBy(e.in[0], x); ok && near(s, math.Sqrt2/2) {
			return &unaryAttrs{fn: "Gelu"}, append(more, e, add)
		}
	}
	if t := unaryBy(inner, "Tanh"); t != nil && p.single(t.in[0]) {
		if more, ok := p.cubic(t.in[0], x); ok {
			return &unaryAttrs{fn: "GeluTanh"}, append(more, t, add)
		}
	}
	return nil, nil
}

// cubic recognises √(2/π)·(x + 0.044715·x³).
func (p *program) cubic(v, x *value) ([]*inst, bool) {
	values, number, taken := p.factors(v, false)
	if len(values) != 1 || !near(number, math.Sqrt(2/math.Pi)) {
		return nil, false
	}
	sum := by(values[0], "Add")
	if sum == nil || !p.single(sum.out) {
		return nil, false
	}
	for j := range 2 {
		if sum.in[j] != x {
			continue
		}
		cube, s, more := p.factors(sum.in[1-j], false)
		if !near(s, 0.044715) {
			continue
		}
		if p.isCube(cube, x) {
			return append(append(taken, more...), sum), true
		}
	}
	return nil, false
}

// isCube tells whether a product is x³.
func (p *program) isCube(product []*value, x *value) bool {
	power := 0
	for _, v := range product {
		switch i := v.inst; {
		case v == x:
			power++
		case unaryBy(v, "Square") != nil && i.in[0] == x:
			power += 2
		case by(v, "Pow") != nil && i.in[0] == x:
			e, ok := i.in[1].scalar()
			if !ok || e != 3 {
				return false
			}
			power += 3
		default:
			return false
		}
	}
	return power == 3
}

// hardSigmoid finds clip(x + 3, 0, 6) / 6.
func (p *program) hardSigmoid(i *inst) bool {
	if i.kind != "Mul" && i.kind != "Div" {
		return false
	}
	values, number, taken := p.factors(i.out, true)
	if len(values) != 1 || !near(number, 1.0/6) {
		return false
	}
	c := unaryBy(values[0], "Clip")
	if c == nil || !p.single(c.out) {
		return false
	}
	a := c.a.(*unaryAttrs)
	x, three, add := p.plus(c.in[0])
	if add == nil || three != 3 || a.alpha != 0 || a.beta != 6 {
		return false
	}
	p.become(i, "Unary", &unaryAttrs{"HardSigmoid", 1.0 / 6, 0.5}, []*value{x}, append(taken, c, add)...)
	return true
}
