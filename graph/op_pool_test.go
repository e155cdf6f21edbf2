package graph_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

func poolTest(x graphtest.Array, cfg graph.PoolConfig, average bool) graphtest.Op {
	return graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(x).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) {
			if average {
				return graph.AvgPool2D(in[0], cfg)
			}
			return graph.MaxPool2D(in[0], cfg)
		},
		Want: func(in []graphtest.Input) graphtest.Array { return poolRef(in[0].Array, cfg, average) },
	}
}

func TestPool2DAnyGeometry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		average := rapid.Bool().Draw(rt, "average")
		cfg := graph.PoolConfig{CeilMode: rapid.Bool().Draw(rt, "ceil"), CountIncludePad: rapid.Bool().Draw(rt,
			"include pad")}
		var in [2]int
		for a := range 2 {
			cfg.Kernel[a], cfg.Stride[a] = draw("kernel", 1, 4), draw("stride", 0, 4)
			cfg.Dilation[a] = draw("dilation", 0, 2)
			span := or1(cfg.Dilation[a])*(cfg.Kernel[a]-1) + 1
			cfg.Padding[a] = draw("padding", 0, span-1)
			cfg.ExtraPadding[a] = draw("end padding", 0, span-1) - cfg.Padding[a]
			in[a] = max(1, span-2*cfg.Padding[a]-cfg.ExtraPadding[a]) + draw("size", 0, 5)
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		x := graphtest.Spread(newRand(seed), draw("batch", 1, 3), draw("channels", 1, 3), in[0], in[1])
		o := poolTest(x, cfg, average)
		if slices.Contains(o.Want(o.In).Data, math.Inf(-1)) {
			return // a window without a point inside the input has no central differences
		}
		o.Check(rt, seed)
	})
}

// TestPool2DMatchesPyTorch compares with the values that testdata/pool_torch.py has computed.
func TestPool2DMatchesPyTorch(t *testing.T) {
	raw, err := os.ReadFile("testdata/pool_torch.json")
	require.NoError(t, err)
	var cases []struct {
		Kind                string
		Size, Kernel        [2]int
		Stride, Padding     [2]int
		Dilation            any
		Ceil, Include, Ties bool
		NaN                 []int
		Shape               []int
		Y, DX               []*float64
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.NotEmpty(t, cases)
	values := func(ps []*float64) []float64 {
		out := make([]float64, len(ps))
		for i, p := range ps {
			if out[i] = math.NaN(); p != nil {
				out[i] = *p
			}
		}
		return out
	}
	for i, c := range cases {
		t.Run(fmt.Sprint(i, " ", c.Kind), func(t *testing.T) {
			cfg := graph.PoolConfig{Kernel: c.Kernel, Stride: c.Stride, Padding: c.Padding, CeilMode: c.Ceil,
				CountIncludePad: c.Include}
			if d, ok := c.Dilation.([]any); ok {
				cfg.Dilation = [2]int{int(d[0].(float64)), int(d[1].(float64))}
			}
			x := graphtest.Zeros(1, 2, c.Size[0], c.Size[1])
			for i := range x.Data {
				if x.Data[i] = math.Sin(0.37 * float64(i)); c.Ties {
					x.Data[i] = math.RoundToEven(x.Data[i]*10) / 10
				}
			}
			for _, i := range c.NaN {
				x.Data[i] = math.NaN()
			}
			o := poolTest(x, cfg, c.Kind == "avg")
			require.Equal(t, c.Shape, o.Want(o.In).Shape)
			graphtest.RequireClose(t, values(c.Y), o.Want(o.In).Data, 1e-9, "the tests' own reference")
			cotangent := graphtest.Zeros(c.Shape...)
			for i := range cotangent.Data {
				cotangent.Data[i] = math.Cos(0.51 * float64(i))
			}
			for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
				got := o.Evaluate(t, dtype, cotangent)
				graphtest.RequireClose(t, values(c.Y), got[0], 1e-6, "value")
				graphtest.RequireClose(t, values(c.DX), got[1], 1e-6, "gradient")
			}
		})
	}
}

func TestMaxPool2DNaNGradient(t *testing.T) {
	x := graphtest.Zeros(1, 1, 2, 4)
	for i := range x.Data {
		x.Data[i] = math.NaN()
	}
	o := poolTest(x, graph.PoolConfig{Kernel: [2]int{2, 2}}, false)
	got := o.Evaluate(t, tensor.Float64, graphtest.NewArray([]int{1, 1, 1, 2}, []float64{3, 5}))
	require.True(t, math.IsNaN(got[0][0]))
	require.Equal(t, 8.0, dot(got[1], []float64{1, 1, 1, 1, 1, 1, 1, 1}),
		"each window hands its gradient to one element")
}

func TestMaxPool2DMinusInf(t *testing.T) {
	x := graphtest.Zeros(2, 1, 2, 2)
	for i := range x.Data {
		x.Data[i] = math.Inf(-1)
	}
	o := poolTest(x, graph.PoolConfig{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}}, false)
	got := o.Evaluate(t, tensor.Float32, graphtest.Normal(newRand(1), 2, 1, 3, 3))
	for _, v := range got[0] {
		require.Equal(t, math.Inf(-1), v)
	}
}

func TestGlobalAvgPool2D(t *testing.T) {
	for _, shape := range [][]int{{1, 1, 1, 1}, {2, 3, 4, 5}, {3, 17, 8, 8}, {1, 5, 1, 7}} {
		graphtest.Op{
			In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(1), shape...)).Batched()},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.GlobalAvgPool2D(in[0]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map(shape[:2], func(i []int) float64 {
					sum := 0.0
					graphtest.Each(shape[2:], func(j []int) { sum += in[0].At(i[0], i[1], j[0], j[1]) })
					return sum / float64(shape[2]*shape[3])
				})
			},
		}.Check(t, 1)
	}
}

func TestGlobalMaxPool2D(t *testing.T) {
	for _, shape := range [][]int{{1, 1, 1, 1}, {2, 3, 4, 5}, {3, 17, 8, 8}, {1, 5, 1, 7}} {
		graphtest.Op{
			In:    []graphtest.Input{graphtest.Variable(graphtest.Spread(newRand(1), shape...)).Batched()},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.GlobalMaxPool2D(in[0]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map(shape[:2], func(i []int) float64 {
					best := math.Inf(-1)
					graphtest.Each(shape[2:], func(j []int) { best = max(best, in[0].At(i[0], i[1], j[0], j[1])) })
					return best
				})
			},
		}.Check(t, 1)
	}
}

func TestPoolErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	x := s.Add(graphtest.Constant(graphtest.Zeros(1, 2, 4, 4)), "x")
	k2 := [2]int{2, 2}
	for name, c := range map[string]struct {
		x    *G.Node
		cfg  graph.PoolConfig
		want string
	}{
		"nil": {nil, graph.PoolConfig{Kernel: k2}, "input 0: expected a node, got nil"},
		"not four axes": {s.Add(graphtest.Constant(graphtest.Zeros(2, 3)), "flat"), graph.PoolConfig{Kernel: k2},
			"expected 4 axes"},
		"no kernel": {x, graph.PoolConfig{}, "expected positive sizes, got [2 4 4] with kernel [0 0]"},
		"too much padding": {x, graph.PoolConfig{Kernel: k2, Padding: [2]int{2, 0}},
			"expected padding of at least zero and less than a window of [2 2]"},
		"no end padding": {x, graph.PoolConfig{Kernel: k2, Padding: [2]int{1, 0}, ExtraPadding: [2]int{-2, 0}},
			"at least zero and less than a window of [2 2] with dilation [1 1], got [1 0] and [-1 0]"},
		"does not fit": {x, graph.PoolConfig{Kernel: [2]int{5, 5}}, "does not fit"},
		"ints":         {s.Add(graphtest.ClassInput(1, 2), "class"), graph.PoolConfig{Kernel: k2}, "expected 4 axes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := graph.MaxPool2D(c.x, c.cfg)
			require.ErrorContains(t, err, c.want)
			_, err = graph.AvgPool2D(c.x, c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := graph.GlobalAvgPool2D(nil)
	require.ErrorContains(t, err, "input 0: expected a node, got nil")
	_, err = graph.GlobalMaxPool2D(nil)
	require.ErrorContains(t, err, "input 0: expected a node, got nil")
}
