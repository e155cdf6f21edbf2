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
)

func poolTest(x array, cfg graph.PoolConfig, average bool) opTest {
	return opTest{
		in: []input{variable(x)},
		build: func(in G.Nodes) (*G.Node, error) {
			if average {
				return graph.AvgPool2D(in[0], cfg)
			}
			return graph.MaxPool2D(in[0], cfg)
		},
		want: func(in []input) array { return poolRef(in[0].array, cfg, average) },
	}
}

func TestPool2DAnyGeometry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		average := rapid.Bool().Draw(rt, "average")
		cfg := graph.PoolConfig{CeilMode: rapid.Bool().Draw(rt, "ceil"), CountIncludePad: rapid.Bool().Draw(rt, "include pad")}
		var in [2]int
		for a := range 2 {
			cfg.Kernel[a], cfg.Stride[a] = draw("kernel", 1, 4), draw("stride", 0, 4)
			cfg.Padding[a] = draw("padding", 0, cfg.Kernel[a]/2)
			if !average {
				cfg.Dilation[a] = draw("dilation", 0, 2)
			}
			in[a] = max(1, or1(cfg.Dilation[a])*(cfg.Kernel[a]-1)+1-2*cfg.Padding[a]) + draw("size", 0, 5)
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		x := spread(newRand(seed), draw("batch", 1, 3), draw("channels", 1, 3), in[0], in[1])
		o := poolTest(x, cfg, average)
		if slices.Contains(o.want(o.in).data, math.Inf(-1)) {
			return // a window with no point inside the input has no differences
		}
		o.check(rt, seed)
	})
}

// TestPool2DMatchesPyTorch reads what testdata/pool_torch.py wrote.
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
			cfg := graph.PoolConfig{Kernel: c.Kernel, Stride: c.Stride, Padding: c.Padding, CeilMode: c.Ceil, CountIncludePad: c.Include}
			if d, ok := c.Dilation.([]any); ok {
				cfg.Dilation = [2]int{int(d[0].(float64)), int(d[1].(float64))}
			}
			x := zeros(1, 2, c.Size[0], c.Size[1])
			for i := range x.data {
				if x.data[i] = math.Sin(0.37 * float64(i)); c.Ties {
					x.data[i] = math.RoundToEven(x.data[i]*10) / 10
				}
			}
			for _, i := range c.NaN {
				x.data[i] = math.NaN()
			}
			o := poolTest(x, cfg, c.Kind == "avg")
			require.Equal(t, c.Shape, o.want(o.in).shape)
			requireClose(t, values(c.Y), o.want(o.in).data, 1e-9, "the tests' own reference")
			cotangent := zeros(c.Shape...)
			for i := range cotangent.data {
				cotangent.data[i] = math.Cos(0.51 * float64(i))
			}
			for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
				got := o.run(t, dtype, o.want(o.in), cotangent)
				requireClose(t, values(c.Y), got[0], 1e-6, "value")
				requireClose(t, values(c.DX), got[1], 1e-6, "gradient")
			}
		})
	}
}

func TestMaxPool2DNaNGradient(t *testing.T) {
	x := zeros(1, 1, 2, 4)
	for i := range x.data {
		x.data[i] = math.NaN()
	}
	o := poolTest(x, graph.PoolConfig{Kernel: [2]int{2, 2}}, false)
	got := o.run(t, tensor.Float64, zeros(1, 1, 1, 2), array{[]int{1, 1, 1, 2}, []float64{3, 5}})
	require.True(t, math.IsNaN(got[0][0]))
	require.Equal(t, 8.0, dot(got[1], []float64{1, 1, 1, 1, 1, 1, 1, 1}), "each window hands its gradient to one element")
}

func TestMaxPool2DMinusInf(t *testing.T) {
	x := zeros(2, 1, 2, 2)
	for i := range x.data {
		x.data[i] = math.Inf(-1)
	}
	o := poolTest(x, graph.PoolConfig{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}}, false)
	got := o.run(t, tensor.Float32, zeros(2, 1, 3, 3), normal(newRand(1), 2, 1, 3, 3))
	for _, v := range got[0] {
		require.Equal(t, math.Inf(-1), v)
	}
}

func TestGlobalAvgPool2D(t *testing.T) {
	for _, shape := range [][]int{{1, 1, 1, 1}, {2, 3, 4, 5}, {3, 17, 8, 8}, {1, 5, 1, 7}} {
		opTest{
			in:    []input{variable(normal(newRand(1), shape...))},
			build: func(in G.Nodes) (*G.Node, error) { return graph.GlobalAvgPool2D(in[0]) },
			want: func(in []input) array {
				return mapIndex(shape[:2], func(i []int) float64 {
					sum := 0.0
					each(shape[2:], func(j []int) { sum += in[0].at(i[0], i[1], j[0], j[1]) })
					return sum / float64(shape[2]*shape[3])
				})
			},
		}.check(t, 1)
	}
}

func TestPoolErrors(t *testing.T) {
	s := newSession(t, tensor.Float64)
	x := s.add(constant(zeros(1, 2, 4, 4)), "x")
	k2 := [2]int{2, 2}
	for name, c := range map[string]struct {
		x    *G.Node
		cfg  graph.PoolConfig
		want string
	}{
		"nil":              {nil, graph.PoolConfig{Kernel: k2}, "input 0 is nil"},
		"not four axes":    {s.add(constant(zeros(2, 3)), "flat"), graph.PoolConfig{Kernel: k2}, "expected 4 axes"},
		"no kernel":        {x, graph.PoolConfig{}, "sizes must be positive"},
		"too much padding": {x, graph.PoolConfig{Kernel: k2, Padding: [2]int{2, 0}}, "padding"},
		"does not fit":     {x, graph.PoolConfig{Kernel: [2]int{5, 5}}, "does not fit"},
		"ints":             {s.add(classInput(1, 2), "class"), graph.PoolConfig{Kernel: k2}, "expected 4 axes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := graph.MaxPool2D(c.x, c.cfg)
			require.ErrorContains(t, err, c.want)
			_, err = graph.AvgPool2D(c.x, c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := graph.AvgPool2D(x, graph.PoolConfig{Kernel: k2, Dilation: k2})
	require.ErrorContains(t, err, "average pooling has none")
	_, err = graph.GlobalAvgPool2D(nil)
	require.ErrorContains(t, err, "input 0 is nil")
}
