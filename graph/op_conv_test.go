package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// convTest is a plain convolution of random elements.
func convTest(seed uint64, n, c, h, w, o, kh, kw int, bias bool, cfg graph.ConvConfig) graphtest.Op {
	r := newRand(seed)
	in := []graphtest.Input{graphtest.Variable(graphtest.Normal(r, n, c, h, w)).Batched(),
		graphtest.Variable(graphtest.Normal(r, o, c/or1(cfg.Groups), kh, kw))}
	if bias {
		in = append(in, graphtest.Variable(graphtest.Normal(r, o)))
	}
	return graphtest.Op{
		In: in,
		Build: func(in G.Nodes) (*G.Node, error) {
			var b *G.Node
			if bias {
				b = in[2]
			}
			return graph.Conv2D(in[0], in[1], b, cfg)
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			var b []float64
			if bias {
				b = in[2].Data
			}
			return convRef(in[0].Array, in[1].Array, b, cfg)
		},
	}
}

func TestConv2D(t *testing.T) {
	for name, c := range map[string]graphtest.Op{
		"1x1":               convTest(1, 2, 5, 3, 4, 7, 1, 1, false, graph.ConvConfig{}),
		"3x3 padded":        convTest(2, 2, 3, 6, 5, 4, 3, 3, true, graph.ConvConfig{Padding: [2]int{1, 1}}),
		"batch of one":      convTest(3, 1, 2, 4, 4, 3, 3, 3, true, graph.ConvConfig{}),
		"one of everything": convTest(4, 1, 1, 1, 1, 1, 1, 1, true, graph.ConvConfig{}),
		"stride": convTest(5, 2, 3, 7, 8, 4, 3, 3, false, graph.ConvConfig{Stride: [2]int{2, 2},
			Padding: [2]int{1, 1}}),
		"stride beyond": convTest(6, 2, 2, 9, 9, 3, 2, 2, false, graph.ConvConfig{Stride: [2]int{4, 3}}),
		"dilation": convTest(7, 2, 2, 9, 8, 3, 3, 3, true, graph.ConvConfig{Dilation: [2]int{2, 3},
			Padding: [2]int{2, 3}}),
		"uneven kernel": convTest(8, 2, 3, 6, 9, 2, 1, 4, false, graph.ConvConfig{Stride: [2]int{2, 1},
			Padding: [2]int{0, 2}}),
		"groups": convTest(9, 2, 6, 5, 5, 4, 3, 3, true,
			graph.ConvConfig{Groups: 2, Padding: [2]int{1, 1}}),
		"depthwise": convTest(10, 2, 5, 6, 6, 5, 3, 3, true,
			graph.ConvConfig{Groups: 5, Padding: [2]int{1, 1}}),
		"depthwise, more out": convTest(11, 1, 3, 5, 5, 6, 3, 3, false, graph.ConvConfig{Groups: 3}),
		"padding only":        convTest(12, 1, 1, 1, 1, 1, 3, 3, false, graph.ConvConfig{Padding: [2]int{2, 2}}),
		"uneven padding": convTest(14, 2, 3, 6, 8, 4, 3, 3, true, graph.ConvConfig{Stride: [2]int{2, 2},
			ExtraPadding: [2]int{1, 1}}),
		"uneven, depthwise": convTest(15, 1, 4, 6, 7, 4, 5, 5, true, graph.ConvConfig{Stride: [2]int{2, 2}, Groups: 4,
			Padding: [2]int{1, 2}, ExtraPadding: [2]int{1, 0}}),
		"less padding": convTest(16, 1, 2, 5, 4, 3, 3, 3, false, graph.ConvConfig{Padding: [2]int{1, 2},
			ExtraPadding: [2]int{-1, -2}}),
		"20 channels": convTest(13, 2, 20, 4, 5, 17, 3, 3, true, graph.ConvConfig{Padding: [2]int{1, 1}}),
	} {
		t.Run(name, func(t *testing.T) { c.Check(t, 1) })
	}
}

func TestConv2DAnyGeometry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		groups := draw("groups", 1, 3)
		c, o := groups*draw("in per group", 1, 3), groups*draw("out per group", 1, 3)
		cfg := graph.ConvConfig{Groups: groups}
		var k, in [2]int
		for a := range 2 {
			k[a] = draw("kernel", 1, 3)
			cfg.Stride[a], cfg.Padding[a], cfg.Dilation[a] = draw("stride", 1, 3), draw("padding", 0, 2),
				draw("dilation", 1, 2)
			in[a] = max(1, cfg.Dilation[a]*(k[a]-1)+1-2*cfg.Padding[a]) + draw("size", 0, 4)
		}
		if rapid.Bool().Draw(rt, "uneven padding") {
			for a := range 2 {
				cfg.ExtraPadding[a] = draw("extra padding", -cfg.Padding[a], 2)
				in[a] += max(0, -cfg.ExtraPadding[a])
			}
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		convTest(seed, draw("batch", 1, 3), c, in[0], in[1], o, k[0], k[1], rapid.Bool().Draw(rt, "bias"),
			cfg).Check(rt, seed)
	})
}

func TestConv2DErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	x, w := add("x", 1, 4, 5, 5), add("w", 3, 4, 3, 3)
	for name, c := range map[string]struct {
		x, w, b *G.Node
		cfg     graph.ConvConfig
		want    string
	}{
		"nil input":  {nil, w, nil, graph.ConvConfig{}, "Conv2D: input 0: expected a node, got nil"},
		"nil weight": {x, nil, nil, graph.ConvConfig{}, "Conv2D: input 1: expected a node, got nil"},
		"not four axes": {add("flat", 2, 4), w, nil, graph.ConvConfig{},
			"input 0 (flat): expected 4 axes, got shape (2, 4)"},
		"channels": {x, add("w2", 3, 2, 3, 3), nil, graph.ConvConfig{},
			"does not fit 4 channels in 1 groups"},
		"groups":          {x, w, nil, graph.ConvConfig{Groups: 3}, "does not fit 4 channels in 3 groups"},
		"negative groups": {x, w, nil, graph.ConvConfig{Groups: -1}, "groups"},
		"out of groups":   {x, add("w3", 3, 2, 3, 3), nil, graph.ConvConfig{Groups: 2}, "2 groups do not divide"},
		"bias":            {x, w, add("b", 4), graph.ConvConfig{}, "bias (b): expected shape (3), got (4)"},
		"bias column": {x, w, add("column", 3, 1), graph.ConvConfig{},
			"bias (column): expected shape (3), got (3, 1)"},
		"does not fit":     {x, add("w4", 3, 4, 7, 3), nil, graph.ConvConfig{}, "does not fit"},
		"negative stride":  {x, w, nil, graph.ConvConfig{Stride: [2]int{-1, 1}}, "out of range"},
		"negative padding": {x, w, nil, graph.ConvConfig{Padding: [2]int{-1, 0}}, "out of range"},
		"no padding to take": {x, w, nil, graph.ConvConfig{Padding: [2]int{1, 1}, ExtraPadding: [2]int{0, -2}},
			"out of range"},
		"padding overflows": {x, w, nil, graph.ConvConfig{Padding: [2]int{math.MaxInt>>1 + 1, 0}}, "Conv2D"},
		"output overflows": {x, w, nil, graph.ConvConfig{Padding: [2]int{math.MaxInt >> 23, math.MaxInt >> 23}},
			"too many elements"},
		"other element type": {x,
			graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(3, 4, 3, 3)), "w32"), nil,
			graph.ConvConfig{}, "input 1 (w32) is of float32, input 0 of float64"},
		"other graph": {x, graphtest.NewSession(t, tensor.Float64).Add(graphtest.Constant(graphtest.Zeros(3, 4, 3, 3)),
			"far"), nil, graph.ConvConfig{}, "not in one graph"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := graph.Conv2D(c.x, c.w, c.b, c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
}
