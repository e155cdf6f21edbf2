package onnx

import (
	"fmt"
	"math"
	"slices"
)

// lowerAttention computes softmax(scale·Q·Kᵀ + mask)·V (operator Attention-23; Vaswani et al., NeurIPS 2017, section
// 3.2.1) for Q, K, V [batch, heads, tokens, size] or [batch, tokens, heads·size]. Attention with a cache is not
// supported.
func lowerAttention(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 3, 7); err != nil {
		return nil, err
	}
	for i := 4; i < len(in); i++ {
		if in[i] != nil {
			return nil, unsupportedf("input %d, a cache of keys and values", i)
		}
	}
	for i := 1; i < len(n.out); i++ {
		if n.out[i] != "" {
			return nil, unsupportedf("output %d", i)
		}
	}
	known := []string{"is_causal", "q_num_heads", "kv_num_heads", "scale", "softcap", "qk_matmul_output_mode",
		"softmax_precision"}
	for name := range n.attrs {
		if !slices.Contains(known, name) {
			return nil, unsupportedf("attribute %s", name)
		}
	}
	c := &chain{t: t, n: n}
	q, k, v := in[0], in[1], in[2]
	flat := q.rank() == 3
	heads, kvHeads := n.int("q_num_heads", 0), n.int("kv_num_heads", 0)
	if flat {
		if heads < 1 || kvHeads < 1 || q.shape[2]%heads != 0 || k.rank() != 3 || v.rank() != 3 ||
			k.shape[2]%kvHeads != 0 || v.shape[2]%kvHeads != 0 {
			return nil, fmt.Errorf("inputs of shapes %v, %v, %v with %d and %d heads", q.shape, k.shape, v.shape, heads,
				kvHeads)
		}
		split := func(x *value, heads int) *value {
			s := x.shape
			return c.transpose(c.reshape(x, s[0], s[1], heads, s[2]/heads), 0, 2, 1, 3)
		}
		q, k, v = split(q, heads), split(k, kvHeads), split(v, kvHeads)
	}
	if c.err != nil {
		return nil, c.err
	}
	if q.rank() != 4 || k.rank() != 4 || v.rank() != 4 {
		return nil, fmt.Errorf("inputs: expected 3 or 4 axes, got shapes %v, %v, %v", in[0].shape, in[1].shape,
			in[2].shape)
	}
	heads, kvHeads = q.shape[1], k.shape[1]
	if heads%kvHeads != 0 || v.shape[1] != kvHeads {
		return nil, fmt.Errorf("inputs of shapes %v, %v, %v", in[0].shape, in[1].shape, in[2].shape)
	}
	if heads != kvHeads { // several query heads share a key head
		share := func(x *value) *value {
			s := x.shape
			x = c.reshape(x, s[0], s[1], 1, s[2], s[3])
			wide := []int{s[0], s[1], heads / kvHeads, s[2], s[3]}
			x = c.do(func() (*value, error) { return t.add(n, "Expand", x.elem, wide, x.batch, nil, x) })
			return c.reshape(x, s[0], heads, s[2], s[3])
		}
		k, v = share(k), share(v)
	}
	e, tokens, keys := q.elem, q.shape[2], k.shape[2]
	scale := n.float("scale", 0)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(q.shape[3]))
	}
	kt := c.transpose(k, 0, 1, 3, 2)
	scores := c.do(func() (*value, error) { return t.matMul(n, q, kt) })
	scores = c.binary("Mul", scores, literal(e, scale))
	soft := n.float("softcap", 0)
	if soft != 0 {
		scores = c.binary("Mul", c.unary(c.binary("Div", scores, literal(e, soft)), "Tanh"), literal(e, soft))
	}
	if m := arg(in, 3); m != nil {
		scores = c.masked(scores, m, e)
	}
	if n.int("is_causal", 0) != 0 {
		if _, err := sizeOf([]int{tokens, keys}); err != nil {
			return nil, err
		}
		if err := t.room(e, tokens*keys); err != nil {
			return nil, err
		}
		causal := newConstant(e, tokens, keys)
		for i := range tokens {
			for j := i + 1; j < keys; j++ {
				causal.set(i*keys+j, math.Inf(-1))
			}
		}
		scores = c.binary("Add", scores, constantValue(causal))
	}
	weights := c.do(func() (*value, error) {
		return t.add(n, "Softmax", e, scores.shape, scores.batch, &axisAttrs{3}, scores)
	})
	y := c.do(func() (*value, error) { return t.matMul(n, weights, v) })
	if flat {
		y = c.transpose(y, 0, 2, 1, 3)
		if c.err == nil {
			y = c.reshape(y, slices.Concat(y.shape[:2], []int{product(y.shape[2:])})...)
		}
	}
	return c.result(y)
}

// masked adds a mask to scores. The mask is a summand, or a boolean that is true where a key counts.
func (c *chain) masked(scores, m *value, e elem) *value {
	if c.err != nil {
		return nil
	}
	if m.c == nil && m.elem == elemBool {
		return c.where(m, scores, literal(e, math.Inf(-1)))
	}
	if m.elem == elemBool {
		bias := newConstant(e, m.shape...)
		for i := range bias.len() {
			if m.c.i64[i] == 0 {
				bias.set(i, math.Inf(-1))
			}
		}
		static := m.static
		m = constantValue(bias)
		m.static = static
	}
	if last := len(m.shape) - 1; last >= 0 && m.c != nil && m.shape[last] != 1 && m.shape[last] < scores.shape[3] {
		// A mask with fewer keys excludes the other keys.
		wide := slices.Clone(m.shape)
		wide[last] = scores.shape[3]
		out := newConstant(e, wide...)
		for i := range out.len() {
			r, k := i/wide[last], i%wide[last]
			if k < m.shape[last] {
				out.set(i, m.c.at(r*m.shape[last]+k))
			} else {
				out.set(i, math.Inf(-1))
			}
		}
		m = constantValue(out)
	}
	return c.binary("Add", scores, m)
}
