package graph_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

func newParam(name string, values ...float32) *graph.Param {
	p := graph.NewParam(name, len(values))
	copy(p.Float32s(), values)
	return p
}

// TestNamesDoNotMix gives parameters, constants, inputs and taps the same name, shape and type. Gorgonia would merge
// them.
func TestNamesDoNotMix(t *testing.T) {
	row := func(v ...float64) func() []float64 { return func() []float64 { return v } }
	m := &model{shape: []int{2}, outputs: []string{"input", "sum"}, params: []*graph.Param{
		{Name: "input", Value: tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{10, 20}))},
		{Name: "ones", Value: tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{5}))},
	}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		y := x
		for _, n := range []*G.Node{
			b.Param("input"), b.Constant("input", row(100, 200), 1, 2), b.Input("input", 2), b.Param("input"),
			b.Constant("ones", row(1000, 2000), 1, 2),
		} {
			y = b.Add(y, n)
		}
		z := b.Do(func() (*G.Node, error) { return graph.Flatten(b.Ones()) })
		z = b.Do(func() (*G.Node, error) { return graph.Concat(z, z) })
		b.Tap("input", x)
		b.Tap("sum", b.Add(y, z))
		return b.Err()
	}
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		p := compile(t, m, graph.Options{Batch: 1, Dtype: dtype})
		got := fetched(t, p,
			stream(graph.Batch{X: []float32{1, 2}, N: 1, Inputs: map[string][]float32{"input": {0.5, 0.25}}}))
		require.Equal(t, []float64{1, 2}, got["input"])
		require.Equal(t, []float64{1122.5, 2243.25}, got["sum"])
	}
}

// TestSharedBatchNorm folds one batch norm's parameters twice, with two values of eps.
func TestSharedBatchNorm(t *testing.T) {
	m := &model{shape: []int{1}, outputs: []string{"a", "b"}, params: []*graph.Param{
		newParam("n.weight", 1), newParam("n.bias", 0), newParam("n.running_mean", 0), newParam("n.running_var", 3),
	}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("a", b.BatchNorm(x, "n", 1))
		b.Tap("b", b.BatchNorm(x, "n", 6))
		return b.Err()
	}
	got := fetched(t, compile(t, m, graph.Options{}), stream(graph.Batch{X: []float32{6}, N: 1}))
	require.Equal(t, []float64{3}, got["a"])
	require.Equal(t, []float64{2}, got["b"])
}

// TestFixedNodesAlone fetches a constant only, a node that does not depend on the batch.
func TestFixedNodesAlone(t *testing.T) {
	m := &model{shape: []int{2}, outputs: []string{"constant"}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("constant", b.Constant("c", func() []float64 { return []float64{1, 2, 3} }, 3))
		return b.Err()
	}
	got := fetched(t, compile(t, m, graph.Options{Batch: 3}), stream(graph.Batch{X: make([]float32, 8), N: 4}))
	require.Equal(t, []float64{1, 2, 3, 1}, got["constant"])
}

// TestScalarParameter has a parameter without axes, as a logit scale is.
func TestScalarParameter(t *testing.T) {
	p := graph.NewParam("scale")
	require.Empty(t, p.Shape())
	p.Float32s()[0] = 3
	m := &model{shape: []int{2}, outputs: []string{"y"}, params: []*graph.Param{p}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("y", b.Do(func() (*G.Node, error) {
			return G.HadamardProd(b.Do(func() (*G.Node, error) { return graph.Copy(x) }), b.Param("scale"))
		}))
		return b.Err()
	}
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		got := fetched(t, compile(t, m, graph.Options{Dtype: dtype}), stream(graph.Batch{X: []float32{1, 2}, N: 1}))
		require.Equal(t, []float64{3, 6}, got["y"])
	}
}

func TestBuilderErrors(t *testing.T) {
	norm := func(weight, variance *graph.Param) []*graph.Param {
		return []*graph.Param{weight, newParam("n.bias", 0, 0), newParam("n.running_mean", 0, 0), variance,
			{Name: "c.weight", Value: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, 2, 1, 1))},
			newParam("c.bias", 1, 2, 3)}
	}
	good := norm(newParam("n.weight", 1, 1), newParam("n.running_var", 1, 1))
	view, err := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4})).Slice(nil, tensor.S(0))
	require.NoError(t, err)
	two := func() []float64 { return []float64{1, 2} }
	for name, c := range map[string]struct {
		params []*graph.Param
		build  func(b *graph.Builder, x *G.Node) error
		want   string
	}{
		"own error": {nil, func(b *graph.Builder, x *G.Node) error { return errors.New("own error") },
			"graph: own error"},
		"kept error": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Conv(x, "c", graph.ConvConfig{})
			b.Param("p")
			return nil
		}, `model has no parameter "c.weight"`},
		"nil parameter":   {[]*graph.Param{nil}, nil, "parameter 0 of the model is nil"},
		"empty parameter": {[]*graph.Param{{Name: "p"}}, nil, "parameter 0 of the model is nil"},
		"twice":           {[]*graph.Param{newParam("p", 1), newParam("p", 1)}, nil, `two parameters named "p"`},
		"float64 parameter": {[]*graph.Param{{Name: "p", Value: tensor.New(tensor.Of(tensor.Float64),
			tensor.WithShape(2))}}, nil, "parameter p [2]: expected contiguous float32, got float64"},
		"view": {[]*graph.Param{{Name: "p", Value: view.(*tensor.Dense)}}, nil,
			"expected contiguous float32"},
		"tap twice": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Tap("a", x)
			b.Tap("a", x)
			return b.Err()
		}, `two nodes are named "a"`},
		"tap and lazy": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Tap("a", x)
			b.TapOnDemand("a", nil)
			return b.Err()
		}, `two nodes are named "a"`},
		"tap nil": {nil, func(b *graph.Builder, x *G.Node) error { b.Tap("a", nil); return b.Err() },
			`the node to name "a" is nil`},
		"constant's size": {nil, func(b *graph.Builder, x *G.Node) error { b.Constant("c", two, 3); return b.Err() },
			`constant "c" of shape [3]: expected 3 values, got 2`},
		"constant's shape": {nil, func(b *graph.Builder, x *G.Node) error { b.Constant("c", two, -2); return b.Err() },
			`constant "c": shape (-2)`},
		"constant again": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Constant("c", two, 2)
			b.Constant("c", two, 2, 1)
			return b.Err()
		}, "c (c): expected shape (2, 1), got (2)"},
		"input's shape": {nil, func(b *graph.Builder, x *G.Node) error { b.Input("i", 0); return b.Err() },
			"input:i: shape (4, 0)"},
		"input again": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Input("i", 2)
			b.Input("i", 3)
			return b.Err()
		}, "input: i (input:i): expected shape (4, 3), got (4, 2)"},
		"no batch norm": {nil, func(b *graph.Builder, x *G.Node) error { b.BatchNorm(x, "n", 0); return b.Err() },
			`model has no parameter "n.weight"`},
		"norm's channels": {norm(newParam("n.weight", 1), newParam("n.running_var", 1, 1)),
			func(b *graph.Builder, x *G.Node) error { b.BatchNorm(x, "n", 0); return b.Err() },
			"batch norm n: bias has 2 channels, weight 1"},
		"norm of others": {good, func(b *graph.Builder, x *G.Node) error {
			b.BatchNorm(b.Do(func() (*G.Node, error) { return graph.Channels(x, 0, 1) }), "n", 0)
			return b.Err()
		}, "expected shape (1)"},
		"negative variance": {norm(newParam("n.weight", 1, 1), newParam("n.running_var", 1, -1)),
			func(b *graph.Builder, x *G.Node) error { b.BatchNorm(x, "n", 0.5); return b.Err() },
			"batch norm n: channel 1: expected a positive sum of running variance and eps, got -1 and 0.5"},
		"NaN variance": {norm(newParam("n.weight", 1, 1), newParam("n.running_var", float32(math.NaN()), 1)),
			func(b *graph.Builder, x *G.Node) error { b.BatchNorm(x, "n", 0.5); return b.Err() },
			"channel 0: expected a positive sum of running variance and eps, got NaN and 0.5"},
		"norm behind a bias": {good, func(b *graph.Builder, x *G.Node) error {
			b.BatchNorm(b.Conv(x, "c", graph.ConvConfig{}), "n", 0)
			return b.Err()
		}, "batch norm n: weight has 2 channels, the layer before it 3"},
		"another shape": {good, func(b *graph.Builder, x *G.Node) error { b.Param("n.bias", 3); return b.Err() },
			"parameter (n.bias): expected shape (3), got (2)"},
		"another size": {good, func(b *graph.Builder, x *G.Node) error {
			b.Conv(x, "c", graph.ConvConfig{Out: 4})
			return b.Err()
		}, "weight c.weight: expected 4 output channels and a kernel of 1×1, got shape (3, 2, 1, 1)"},
		"another kernel": {good, func(b *graph.Builder, x *G.Node) error {
			b.Conv(x, "c", graph.ConvConfig{Kernel: [2]int{1, 2}})
			return b.Err()
		}, "a kernel of 1×2"},
		"bias wanted": {[]*graph.Param{newParam("c.weight", 1)}, func(b *graph.Builder, x *G.Node) error {
			b.Conv(x, "c", graph.ConvConfig{Bias: true})
			return b.Err()
		}, `model has no parameter "c.bias"`},
		"another out": {[]*graph.Param{newParam("fc.weight", 1, 2)},
			func(b *graph.Builder, x *G.Node) error { b.Linear(b.GlobalAvgPool(x), "fc", 3); return b.Err() },
			"parameter (fc.weight): expected shape (3, 2), got (2)"},
		"no linear": {nil, func(b *graph.Builder, x *G.Node) error { b.Linear(x, "fc"); return b.Err() },
			`model has no parameter "fc.weight"`},
		"nil shortcut": {good, func(b *graph.Builder, x *G.Node) error {
			b.Add(b.Conv(x, "c", graph.ConvConfig{}), nil)
			return b.Err()
		}, "Add: input 1: expected a node, got nil"},
		"nil everywhere": {good, func(b *graph.Builder, x *G.Node) error { b.ReLU(nil); return b.Err() },
			"ReLU: expected an input, got nil"},
		"nil conv": {good, func(b *graph.Builder, x *G.Node) error {
			b.Conv(nil, "c", graph.ConvConfig{})
			return b.Err()
		}, "Conv2D: input 0: expected a node, got nil"},
		"nil norm": {good, func(b *graph.Builder, x *G.Node) error { b.BatchNorm(nil, "n", 0); return b.Err() },
			"Affine: expected an input, got nil"},
		"nil block": {nil, func(b *graph.Builder, x *G.Node) error { b.DenseBlock(nil, 3, 0, nil); return b.Err() },
			"DenseBlock: input 0: expected a node, got nil"},
		"block of nil": {nil, func(b *graph.Builder, x *G.Node) error {
			b.DenseBlock(x, 3, 1, func(int, *G.Node) *G.Node { return nil })
			return b.Err()
		}, "input 1: expected a node, got nil"},
		"nothing tapped": {nil, func(b *graph.Builder, x *G.Node) error { return nil },
			`no node is named "y"; there are []`},
		"not a batch": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Tap("y", b.Constant("c", two, 2))
			return nil
		}, "y: expected the 4 samples of the batch first, got shape (2)"},
		"scalar": {nil, func(b *graph.Builder, x *G.Node) error { b.Tap("y", G.Must(G.Sum(x))); return nil },
			"y: expected the 4 samples of the batch first, got shape ()"},
		"not in the graph": {nil, func(b *graph.Builder, x *G.Node) error {
			b.Tap("y", graphtest.NewSession(t, tensor.Float32, graphtest.Constant(graphtest.Zeros(4, 1))).In[0])
			return nil
		}, `the node to name "y", ina, is of another graph`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.build == nil {
				c.build = func(b *graph.Builder, x *G.Node) error { b.Tap("y", x); return b.Err() }
			}
			_, err := graph.Compile(&model{shape: []int{2, 3, 3}, outputs: []string{"y"}, params: c.params,
				build: c.build}, graph.Options{Batch: 4})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "graph: ")
		})
	}
	for _, shape := range [][]int{{0}, {3, -1}, {math.MaxInt >> 23, math.MaxInt >> 23}, {1 << 30, 1 << 30}} {
		_, err := graph.Compile(&model{shape: shape, outputs: []string{"y"}}, graph.Options{Batch: 4})
		require.ErrorContains(t, err, "input: shape (4")
	}
}

// TestBuilderAfterAnError: every method gives nil and keeps the first error.
func TestBuilderAfterAnError(t *testing.T) {
	m := &model{shape: []int{2, 3, 3}, outputs: []string{"y"}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		require.Equal(t, 4, b.Batch())
		require.False(t, b.HasParam("p"))
		require.Nil(t, b.Param("p"))
		first := b.Err()
		never := func() (*G.Node, error) { t.Error("called after an error"); return nil, nil }
		for i, n := range []*G.Node{
			b.Conv(x, "c", graph.ConvConfig{}), b.BatchNorm(x, "n", 1), b.ReLU(x), b.Add(x, x), b.Linear(x, "fc"),
			b.MaxPool(x, graph.PoolConfig{}), b.AvgPool(x, graph.PoolConfig{}), b.GlobalAvgPool(x),
			b.DenseBlock(x, 9, 1, nil),
			b.Tap("y", x), b.Do(never), b.Input("i", 1), b.Labels(), b.Constant("c", nil, 1), b.Ones(), b.Param("q"),
		} {
			require.Nil(t, n, "%d", i)
		}
		b.TapOnDemand("l", never)
		_, err := b.Node("l")
		require.Equal(t, first, err)
		require.Equal(t, first, b.Err())
		return nil
	}
	_, err := graph.Compile(m, graph.Options{Batch: 4})
	require.EqualError(t, err, `graph: model has no parameter "p"`)
}

func TestBuilderInputs(t *testing.T) {
	m := &model{shape: []int{2}, outputs: []string{"y"}, params: []*graph.Param{newParam("p", 1, 2)}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		require.True(t, b.HasParam("p"))
		require.Same(t, b.Param("p"), b.Param("p"))
		require.Same(t, b.Input("i", 3), b.Input("i", 3))
		require.Same(t, b.Labels(), b.Labels())
		require.Same(t, b.Ones(), b.Ones())
		require.Equal(t, []int{4, 3}, []int(b.Input("i", 3).Shape()))
		require.Equal(t, tensor.Int, b.Labels().Dtype())
		b.Tap("y", x)
		n, err := b.Node("y")
		require.NoError(t, err)
		require.Same(t, x, n)
		return b.Err()
	}
	compile(t, m, graph.Options{Batch: 4, Workers: 1})
	require.Equal(t, "p [2]", m.params[0].String())
}
