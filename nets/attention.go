package nets

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// attention adds scaled dot-product attention with several heads (Vaswani et al., NeurIPS 2017, section 3.2). qkv [...,
// tokens, 3·dim] holds queries, keys and values; the result is [..., tokens, dim]. The nodes in added are added to the
// products of queries and keys [..., heads, tokens, tokens].
func attention(b *graph.Builder, qkv *G.Node, heads int, added ...*G.Node) *G.Node {
	if b.Err() != nil {
		return nil
	}
	s := qkv.Shape()
	lead, tokens, dim := s[:len(s)-2], s[len(s)-2], s[len(s)-1]/3
	head := dim / heads
	n := len(lead)
	byHead := append(counted(n), n+1, n, n+2)     // [..., heads, tokens, head]
	transposed := append(counted(n), n+1, n+2, n) // [..., heads, head, tokens]
	part := func(i int, perm []int) *G.Node {
		x := b.Do(func() (*G.Node, error) { return graph.Slice(qkv, -1, i*dim, (i+1)*dim, 1) })
		return transpose(b, reshape(b, x, slices.Concat(lead, tensor.Shape{tokens, heads, head})...), perm...)
	}
	q, k, v := part(0, byHead), part(1, transposed), part(2, byHead)
	scale := b.Constant(fmt.Sprintf("1/√%d", head), func() []float64 { return []float64{1 / math.Sqrt(float64(head))} },
		1)
	return b.Do(func() (*G.Node, error) {
		q, err := graph.Mul(q, scale)
		if err != nil {
			return nil, err
		}
		x, err := graph.MatMul(q, k)
		for i := 0; i < len(added) && err == nil; i++ {
			x, err = graph.Add(x, added[i])
		}
		if err != nil {
			return nil, err
		}
		if x, err = graph.SoftmaxAxis(x, -1); err != nil {
			return nil, err
		}
		if x, err = graph.MatMul(x, v); err != nil {
			return nil, err
		}
		if x, err = graph.Transpose(x, byHead...); err != nil {
			return nil, err
		}
		return graph.ReshapeAll(x, slices.Concat(lead, tensor.Shape{tokens, dim})...)
	})
}

// counted returns 0, 1, ..., n-1.
func counted(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
