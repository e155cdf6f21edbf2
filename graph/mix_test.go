package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
)

func TestMix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		groups := rapid.IntRange(1, 4).Draw(rt, "groups")
		perSample := size(shape[1:]...)
		group := rapid.SliceOfN(rapid.IntRange(graph.AlwaysPresent, groups-1), perSample, perSample).Draw(rt, "group")
		r := newRand(seed)
		opTest{
			in:    []input{variable(normal(r, shape[0], groups)), variable(normal(r, shape...)), variable(normal(r, shape...))},
			build: func(in G.Nodes) (*G.Node, error) { return graph.Mix(in[0], in[1], in[2], group) },
			want: func(in []input) array {
				out := zeros(shape...)
				for i := range out.data {
					m := 1.0
					if g := group[i%perSample]; g >= 0 {
						m = in[0].at(i/perSample, g)
					}
					out.data[i] = m*in[1].data[i] + (1-m)*in[2].data[i]
				}
				return out
			},
		}.check(rt, seed)
	})
}

// TestMixOfCoalitions: masks of 0 and 1 choose, to the bit, and what is not chosen may be anything.
func TestMixOfCoalitions(t *testing.T) {
	s := newSession(t, tensor.Float32,
		constant(array{[]int{2, 2}, []float64{1, 0, 0, 1}}),
		constant(array{[]int{2, 3}, []float64{0.1, nan, 3, inf, 5, 6}}), constant(array{[]int{2, 3}, []float64{inf, 20, nan, 40, nan, 60}}))
	s.read(must2(t)(graph.Mix(s.in[0], s.in[1], s.in[2], []int{0, 1, graph.AlwaysPresent})))
	require.Equal(t, [][]float64{{float64(float32(0.1)), 20, 3, 40, 5, 6}}, s.run())
}

func TestSub(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		elementwise(func(in G.Nodes) (*G.Node, error) { return graph.Sub(in[0], in[1]) }, func(x []float64) float64 { return x[0] - x[1] },
			variable(normal(newRand(seed), shape...)), variable(normal(newRand(seed+1), shape...))).check(rt, seed)
	})
	elementwise(func(in G.Nodes) (*G.Node, error) { return graph.Sub(in[0], in[0]) }, func(x []float64) float64 { return 0 },
		variable(normal(newRand(1), 2, 3))).check(t, 1)
}

func TestRival(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, k := rapid.IntRange(1, 3).Draw(rt, "batch"), rapid.IntRange(2, 5).Draw(rt, "classes")
		x := zeros(n, k)
		for i := range x.data {
			x.data[i] = rapid.SampledFrom([]float64{-inf, -1, 0, 1, inf, nan}).Draw(rt, "x")
		}
		class := drawClasses(rt, n, k)
		want := make([]float64, n)
		for i := range want {
			best := -1
			for j := range k {
				if j == class[i] {
					continue
				}
				if v := x.at(i, j); best < 0 || v > x.at(i, best) || math.IsNaN(v) && !math.IsNaN(x.at(i, best)) {
					best = j
				}
			}
			want[i] = float64(best)
		}
		for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			s := newSession(rt, dtype, constant(x), classInput(class...))
			s.read(must2(rt)(graph.Rival(s.in[0], s.in[1])))
			require.Equal(rt, [][]float64{want}, s.run())
		}
	})
}

func TestMixErrors(t *testing.T) {
	s := newSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node { return s.add(constant(zeros(shape...)), name) }
	mask, x, class := add("mask", 2, 2), add("x", 2, 3), s.add(classInput(0, 1), "class")
	group := []int{0, 1, -1}
	for name, c := range map[string]struct {
		op   func() (*G.Node, error)
		want string
	}{
		"Mix nil mask":      {func() (*G.Node, error) { return graph.Mix(nil, x, x, group) }, "Mix: input 0 is nil"},
		"Mix nil present":   {func() (*G.Node, error) { return graph.Mix(mask, nil, x, group) }, "Mix: input is nil"},
		"Mix nil removed":   {func() (*G.Node, error) { return graph.Mix(mask, x, nil, group) }, "removed activations is nil"},
		"Mix shapes":        {func() (*G.Node, error) { return graph.Mix(mask, x, mask, group) }, "expected (2, 3)"},
		"Mix batch":         {func() (*G.Node, error) { return graph.Mix(add("m3", 3, 2), x, x, group) }, "mask (m3) has shape (3, 2), expected (2, 2)"},
		"Mix groups":        {func() (*G.Node, error) { return graph.Mix(mask, x, x, group[:2]) }, "groups of 2 elements, activations have 3"},
		"Mix unknown group": {func() (*G.Node, error) { return graph.Mix(mask, x, x, []int{0, 2, 0}) }, "element 1 is in group 2, expected -1 to 1"},
		"Mix element types": {func() (*G.Node, error) { return graph.Mix(mask, class, class, group[:1]) }, "Mix: input 1 (class) is of int"},
		"Sub nil":           {func() (*G.Node, error) { return graph.Sub(nil, x) }, "Sub: input 0 is nil"},
		"Sub shapes":        {func() (*G.Node, error) { return graph.Sub(x, mask) }, "input 1 (mask) has shape (2, 2), expected (2, 3)"},
		"Rival nil":         {func() (*G.Node, error) { return graph.Rival(nil, class) }, "Rival: input 0 is nil"},
		"Rival of one":      {func() (*G.Node, error) { return graph.Rival(add("one", 2, 1), class) }, "has one class"},
		"Rival class":       {func() (*G.Node, error) { return graph.Rival(x, add("f", 2)) }, "class (f) is of float64, expected int"},
		"Rival batch":       {func() (*G.Node, error) { return graph.Rival(add("x3", 3, 2), class) }, "class (class) has shape (2), expected (3)"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := c.op()
			require.ErrorContains(t, err, c.want)
			require.Nil(t, n)
		})
	}
}

// TestFLOPs counts a convolution and a linear layer by hand, forward and backward.
func TestFLOPs(t *testing.T) {
	m := smallNet(6)
	conv := 2 * 36 * 9 * (3*5 + 5*3 + 8*3)
	linear := 2 * 11 * 4
	for _, c := range []struct {
		fetch string
		want  int
	}{{"block", conv}, {"logits", conv + linear}, {"contribution", conv + 2*linear}, {"image gradient", 2 * (conv + linear)}} {
		p := compile(t, m, graph.Options{Fetch: []string{c.fetch}, Batch: 3})
		require.Equal(t, c.want, p.FLOPs(), c.fetch)
	}
	p := compile(t, m, graph.Options{})
	require.Equal(t, []int{11}, p.Shape("features"))
	require.PanicsWithValue(t, `graph: "block" is not fetched`, func() { p.Shape("block") })
}

func TestProfile(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{Profile: true, Batch: 2, Replicas: 2})
	fetched(t, p, stream(samples(6, 8)))
	flops, nodes := 0, map[string]int{}
	last := p.Profile()[0].Time
	for _, o := range p.Profile() {
		require.LessOrEqual(t, o.Time, last)
		require.Positive(t, o.Time)
		last = o.Time
		flops += o.FLOPs
		nodes[o.Name] = o.Nodes
	}
	require.Equal(t, 8*p.FLOPs(), flops)
	require.Equal(t, 2, nodes["Affine→ReLU→Conv2D 3×3"])
	require.Equal(t, 1, nodes["Conv2D 3×3"])
	p = compile(t, smallNet(6), graph.Options{})
	fetched(t, p, stream(samples(6, 2)))
	require.Empty(t, p.Profile())
}
