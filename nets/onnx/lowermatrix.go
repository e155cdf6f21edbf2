package onnx

import (
	"fmt"
	"slices"
	"strings"
)

func lowerGemm(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 3); err != nil {
		return nil, err
	}
	a, b, bias := in[0], in[1], arg(in, 2)
	alpha, beta := n.float("alpha", 1), n.float("beta", 1)
	transA, transB := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	if a.rank() != 2 || b.rank() != 2 {
		return nil, fmt.Errorf("inputs: expected matrices, got shapes %v and %v", a.shape, b.shape)
	}
	c := &chain{t: t, n: n}
	if transA {
		a = c.turned(a)
	}
	rows := b.shape
	if !transB {
		rows = []int{b.shape[1], b.shape[0]}
	}
	if c.err != nil {
		return nil, c.err
	}
	if a.shape[1] != rows[1] {
		return nil, fmt.Errorf("inputs of shapes %v and %v do not fit one another", in[0].shape, in[1].shape)
	}
	shape := []int{a.shape[0], rows[0]}
	if bias != nil {
		if s, err := broadcast(shape, bias.shape); err != nil || !slices.Equal(s, shape) {
			return nil, fmt.Errorf("inputs of shapes %v, %v and %v do not fit one another", in[0].shape, in[1].shape,
				bias.shape)
		}
	}
	if err := a.apart(1); err != nil {
		return nil, err
	}
	row := bias == nil || bias.isParam() && (bias.rank() < 2 || bias.shape[0] == 1)
	if b.isParam() && row && a.c == nil {
		params := []*param{linearWeight(b, !transB, alpha)}
		if bias != nil {
			params = append(params, &param{suffix: "bias", from: bias.name, shape: []int{rows[0]},
				values: func() []float32 {
					return scaled(bias.c.expanded([]int{1, rows[0]}).float32s(), beta)
				}})
		}
		return one(t.layer(n, "Linear", shape, a.batch, nil, params, a))
	}
	if transB {
		b = c.turned(b)
	}
	y := c.do(func() (*value, error) { return t.matMul(n, a, b) })
	if alpha != 1 {
		y = c.binary("Mul", y, literal(a.elem, alpha))
	}
	if bias != nil {
		if beta != 1 {
			bias = c.binary("Mul", bias, literal(a.elem, beta))
		}
		y = c.binary("Add", y, bias)
	}
	return c.result(y)
}

// turned transposes a matrix, which may be a constant.
func (c *chain) turned(v *value) *value {
	if c.err != nil {
		return nil
	}
	if v.c != nil {
		out := *v
		out.c = v.c.transposed([]int{1, 0})
		out.shape = out.c.shape
		return &out
	}
	return c.transpose(v, 1, 0)
}

// linearWeight returns the weight [out, in] of a linear layer, made from a constant matrix.
func linearWeight(b *value, turn bool, alpha float64) *param {
	p := &param{suffix: "weight", from: b.name, shape: slices.Clone(b.shape)}
	if turn {
		slices.Reverse(p.shape)
	}
	p.values = func() []float32 {
		m := b.c
		if turn {
			m = m.transposed([]int{1, 0})
		}
		return scaled(m.float32s(), alpha)
	}
	return p
}

func scaled(v []float32, factor float64) []float32 {
	if factor == 1 {
		return v
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) * factor)
	}
	return out
}

func (t *tracer) matMul(n *node, a, b *value) (*value, error) {
	shape, err := matMulShape(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	if err := a.apart(a.rank() - 1); err != nil {
		return nil, err
	}
	if err := b.apart(max(b.rank()-2, 0)); err != nil {
		return nil, err
	}
	rank := len(shape)
	// place returns where the samples of an operand lie in the result, whose leading axes are aligned from the right.
	place := func(v *value, own int) batching {
		p := v.batch
		if !p.is {
			return p
		}
		matrix := min(v.rank(), 2)
		lost := 0
		if a.rank() == 1 {
			lost++
		}
		if b.rank() == 1 {
			lost++
		}
		switch {
		case p.axis < v.rank()-matrix:
			p.axis += rank - (2 - lost) - (v.rank() - matrix)
		case own == 0: // rows of the left operand
			p.axis = rank - 2
			if b.rank() == 1 {
				p.axis = rank - 1
			}
		default: // columns of the right operand
			p.axis = rank - 1
		}
		return p
	}
	batch, other := place(a, 0), place(b, 1)
	switch {
	case batch.is && other.is && batch != other:
		return nil, unsupportedf("the samples of a batch lie at different places of its inputs")
	case other.is:
		batch = other
	}
	args := []*value{a, b}
	for i, v := range args {
		if v.c == nil || !batch.is {
			continue
		}
		if axis := batch.axis - (rank - v.rank()); axis >= 0 && axis < v.rank()-2 {
			if args[i], err = t.share(v, axis, batch); err != nil {
				return nil, err
			}
		}
	}
	return t.add(n, "MatMul", a.elem, shape, batch, nil, args...)
}

func lowerMatMul(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	if a.c == nil && a.rank() >= 2 && b.rank() == 2 && b.isParam() {
		shape, err := matMulShape(a.shape, b.shape)
		if err == nil {
			err = a.apart(a.rank() - 1)
		}
		if err != nil {
			return nil, err
		}
		return one(t.layer(n, "Linear", shape, a.batch, nil, []*param{linearWeight(b, true, 1)}, a))
	}
	return one(t.matMul(n, a, b))
}

// lowerEinsum turns a sum of products of one or two operands into a matrix product. An operand must not repeat a label.
func lowerEinsum(t *tracer, n *node, in []*value) ([]*value, error) {
	equation := strings.ReplaceAll(n.str("equation", ""), " ", "")
	left, out, explicit := strings.Cut(equation, "->")
	operands := strings.Split(left, ",")
	if len(operands) != len(in) {
		return nil, fmt.Errorf("equation %q for %d inputs", equation, len(in))
	}
	if len(in) != 2 || !explicit || strings.Contains(equation, ".") {
		return nil, unsupportedf("equation: expected two operands and a result without an ellipsis, got %q", equation)
	}
	sizes := map[byte]int{}
	for i, labels := range operands {
		if in[i] == nil || len(labels) != in[i].rank() {
			return nil, fmt.Errorf("equation %q for input %d", equation, i)
		}
		for j := range len(labels) {
			l := labels[j]
			if strings.Count(labels, string(l)) > 1 {
				return nil, unsupportedf("equation %q takes a diagonal", equation)
			}
			if d, ok := sizes[l]; ok && d != in[i].shape[j] {
				return nil, fmt.Errorf("equation %q for shapes %v and %v", equation, in[0].shape, in[1].shape)
			}
			sizes[l] = in[i].shape[j]
		}
	}
	a, b := operands[0], operands[1]
	pick := func(labels string, keep func(l string) bool) string {
		return strings.Map(func(r rune) rune {
			if keep(string(r)) {
				return r
			}
			return -1
		}, labels)
	}
	has := strings.Contains
	batch := pick(out, func(l string) bool { return has(a, l) && has(b, l) })
	rows := pick(a, func(l string) bool { return has(out, l) && !has(b, l) })
	cols := pick(b, func(l string) bool { return has(out, l) && !has(a, l) })
	inner := pick(a, func(l string) bool { return has(b, l) && !has(out, l) })
	if len(batch)+len(rows)+len(inner) != len(a) || len(batch)+len(cols)+len(inner) != len(b) ||
		len(out) != len(batch)+len(rows)+len(cols) {
		return nil, unsupportedf("equation %q sums over an axis of one operand", equation)
	}
	c := &chain{t: t, n: n}
	dims := func(labels string) []int {
		d := make([]int, len(labels))
		for i := range d {
			d[i] = sizes[labels[i]]
		}
		return d
	}
	arranged := func(v *value, labels, order string) *value {
		perm := make([]int, len(order))
		for i := range perm {
			perm[i] = strings.IndexByte(labels, order[i])
		}
		if v.c != nil {
			w := *v
			w.c = v.c.transposed(perm)
			w.shape = w.c.shape
			return &w
		}
		return c.transpose(v, perm...)
	}
	flat := func(v *value, shape ...int) *value {
		if c.err == nil && v.c != nil {
			w := *v
			w.c, w.shape = v.c.reshaped(shape...), shape
			return &w
		}
		return c.reshape(v, shape...)
	}
	x := arranged(in[0], a, batch+rows+inner)
	y := arranged(in[1], b, batch+inner+cols)
	if c.err != nil {
		return nil, c.err
	}
	x = flat(x, append(dims(batch), product(dims(rows)), product(dims(inner)))...)
	y = flat(y, append(dims(batch), product(dims(inner)), product(dims(cols)))...)
	z := c.do(func() (*value, error) { return t.matMul(n, x, y) })
	z = c.reshape(z, dims(batch+rows+cols)...)
	perm := make([]int, len(out))
	for i := range perm {
		perm[i] = strings.IndexByte(batch+rows+cols, out[i])
	}
	return c.result(c.transpose(z, perm...))
}
