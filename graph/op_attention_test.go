package graph_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// attentive is a model of the operations in vision transformers, over tokens [batch, 7, 48]: LayerNorm, a wide linear
// layer, a product of tokens with tokens, one of tokens with a constant matrix, and one of a constant with tokens.
func attentive() *model {
	const tokens, dim = 7, 48
	r := newRand(1)
	m := &model{shape: []int{tokens, dim}, outputs: []string{"y"}}
	m.param("norm.weight", graphtest.Normal(r, dim))
	m.param("norm.bias", graphtest.Normal(r, dim))
	m.param("fc.weight", graphtest.Normal(r, dim, dim))
	m.param("fc.bias", graphtest.Normal(r, dim))
	m.param("project", graphtest.Normal(r, dim, 33))
	m.param("left", graphtest.Normal(r, 5, tokens))
	m.build = func(b *graph.Builder, x *G.Node) error {
		do := func(f func() (*G.Node, error)) *G.Node { return b.Do(f) }
		scale, shift := b.Param("norm.weight"), b.Param("norm.bias")
		x = do(func() (*G.Node, error) { return graph.LayerNorm(x, scale, shift, -1, 1e-6) })
		b.Tap("features", x)
		y := b.Linear(x, "fc", dim)
		z := do(func() (*G.Node, error) { return graph.Reshape(x, dim, tokens) })
		y = do(func() (*G.Node, error) { return graph.MatMul(y, z) }) // [batch, tokens, tokens]
		y = do(func() (*G.Node, error) { return graph.MatMul(y, x) }) // [batch, tokens, dim]
		project, left := b.Param("project"), b.Param("left")
		y = do(func() (*G.Node, error) { return graph.MatMul(y, project) })
		y = do(func() (*G.Node, error) { return graph.MatMul(left, y) })
		b.Tap("y", y)
		b.TapOnDemand("gradient", func() (*G.Node, error) {
			seed := b.Constant("seed", func() []float64 { return slices.Repeat([]float64{1e-3}, size(y.Shape()...)) },
				y.Shape()...)
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{x})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		})
		return b.Err()
	}
	return m
}

// attentiveRef is attentive's y, from its definition.
func attentiveRef(m *model, x graphtest.Array) []float64 {
	p := map[string]graphtest.Array{}
	for _, q := range m.params {
		shape := []int(q.Value.Shape())
		a := graphtest.Zeros(shape...)
		for i, v := range q.Float32s() {
			a.Data[i] = float64(v)
		}
		p[q.Name] = a
	}
	n, tokens, dim := x.Shape[0], x.Shape[1], x.Shape[2]
	hat := graphtest.NewArray(x.Shape, normRef(x.Data, dim, 1e-6, true))
	for i := range hat.Data {
		hat.Data[i] = hat.Data[i]*p["norm.weight"].Data[i%dim] + p["norm.bias"].Data[i%dim]
	}
	rows := linearRef(graphtest.NewArray([]int{n * tokens, dim}, hat.Data), p["fc.weight"], p["fc.bias"].Data)
	y := graphtest.NewArray(x.Shape, rows.Data)
	y = matmulRef(y, graphtest.NewArray([]int{n, dim, tokens}, hat.Data))
	y = matmulRef(y, hat)
	y = matmulRef(y, p["project"])
	return matmulRef(p["left"], y).Data
}

func TestProductsInPrograms(t *testing.T) {
	m := attentive()
	x := graphtest.Normal(newRand(2), 7, 7, 48)
	fetch := []string{"y", "gradient"}
	want := attentiveRef(m, x)
	double := fetched(t, compile(t, m, graph.Options{Batch: 2, Fetch: fetch, Dtype: tensor.Float64}),
		stream(batchOf(x)))
	graphtest.RequireClose(t, want, double["y"], 1e-12, "float64")
	single := fetched(t, compile(t, m, graph.Options{Batch: 3, Workers: 2, Fetch: fetch}), stream(batchOf(x)))
	for _, name := range fetch {
		graphtest.RequireClose(t, double[name], single[name], 1e-5, name)
	}
	one := compile(t, m, graph.Options{Batch: 1, Workers: 1, Fetch: fetch})
	for _, p := range m.params { // the program keeps the values with which it was compiled
		for i := range p.Float32s() {
			p.Float32s()[i] = float32(math.NaN())
		}
	}
	alone := fetched(t, one, stream(batchOf(x)))
	for _, name := range fetch {
		graphtest.RequireSameBits(t, [][]float64{single[name]}, [][]float64{alone[name]}, name)
	}
	for op, objects := range one.Allocations() {
		require.Zero(t, objects, op)
	}
}

func TestFLOPsOfProducts(t *testing.T) {
	p := compile(t, attentive(), graph.Options{Batch: 3, Fetch: []string{"y"}})
	const tokens, dim = 7, 48
	require.Equal(t, 2*(tokens*dim*dim+2*tokens*tokens*dim+tokens*dim*33+5*tokens*33), p.FLOPs())
}

// TestOperationsOfMatricesAllocateNothing runs the poolings and norms of a program that has run before, one by one.
func TestOperationsOfMatricesAllocateNothing(t *testing.T) {
	m, k2 := &model{shape: []int{4, 6, 6}, outputs: []string{"y"}}, [2]int{2, 2}
	m.build = func(b *graph.Builder, x *G.Node) error {
		var outs G.Nodes
		flat := func(f func() (*G.Node, error)) {
			y := b.Do(f)
			outs = append(outs, b.Do(func() (*G.Node, error) { return graph.Flatten(y) }))
		}
		flat(func() (*G.Node, error) { return graph.GroupNorm(x, 2, nil, nil, 1e-5) })
		flat(func() (*G.Node, error) { return graph.RMSNorm(x, nil, 2, 1e-5) })
		flat(func() (*G.Node, error) {
			return graph.LocalResponseNorm(x, graph.LRNConfig{Size: 3, Alpha: 1, Beta: 0.75, K: 1})
		})
		flat(func() (*G.Node, error) {
			return graph.MaxPool2D(x, graph.PoolConfig{Kernel: k2, ExtraPadding: [2]int{1, 0}})
		})
		flat(func() (*G.Node, error) { return graph.AvgPool2D(x, graph.PoolConfig{Kernel: k2, Dilation: k2}) })
		flat(func() (*G.Node, error) { return graph.GlobalMaxPool2D(x) })
		line := b.Do(func() (*G.Node, error) { return graph.Reshape(x, 4, 36) })
		flat(func() (*G.Node, error) { return graph.MaxPoolND(line, graph.PoolNDConfig{Kernel: []int{3}}) })
		flat(func() (*G.Node, error) { return graph.AvgPoolND(line, graph.PoolNDConfig{Kernel: []int{3}}) })
		y := b.Do(func() (*G.Node, error) { return graph.Concat(outs...) })
		b.Tap("y", y)
		b.Tap("indices", b.Do(func() (*G.Node, error) {
			return graph.MaxPoolIndices(line, graph.PoolNDConfig{Kernel: []int{3}}, true)
		}))
		b.TapOnDemand("gradient", func() (*G.Node, error) {
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{y}, G.Nodes{x})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		})
		return b.Err()
	}
	p := compile(t, m, graph.Options{Batch: 2, Workers: 1, Fetch: []string{"y", "indices", "gradient"}})
	fetched(t, p, stream(batchOf(graphtest.Normal(newRand(1), 4, 4, 6, 6))))
	steps := map[string]any{}
	for _, s := range p.Steps() {
		steps[s.Kind] = s.Attributes
	}
	three := graph.PoolNDConfig{Kernel: []int{3}}
	for kind, want := range map[string]any{
		"GroupNorm":         graph.NormStep{Axis: 1, Groups: 2, Eps: 1e-5, Scale: -1, Bias: -1},
		"RMSNorm":           graph.NormStep{Axis: 2, Eps: 1e-5, Scale: -1, Bias: -1},
		"LocalResponseNorm": graph.LRNConfig{Size: 3, Alpha: 1, Beta: 0.75, K: 1},
		"MaxPool2D":         graph.PoolConfig{Kernel: k2, ExtraPadding: [2]int{1, 0}},
		"AvgPool2D":         graph.PoolConfig{Kernel: k2, Dilation: k2},
		"MaxPoolND":         three, "AvgPoolND": three, "MaxPoolIndices": graph.PoolIndicesStep{Config: three,
			ColumnMajor: true}, "GlobalMaxPool2D": nil,
	} {
		require.Equal(t, want, steps[kind], kind)
	}
	for op, objects := range p.Allocations() {
		require.Zero(t, objects, op)
	}
}
