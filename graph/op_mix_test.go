package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
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

// mixRef is what Mix computes, of inputs with one sample for all or one for each.
func mixRef(in []input, group []int, row func(i int) int) array {
	n, one := in[0].shape[0], size(in[1].shape[1:]...)
	out := zeros(append([]int{n}, in[1].shape[1:]...)...)
	for i := range out.data {
		s, e := i/one, i%one
		m := 1.0
		if g := group[e]; g >= 0 {
			m = in[0].at(s, g)
		}
		out.data[i] = m*in[1].data[s%in[1].shape[0]*one+e] + (1-m)*in[2].data[row(s)*one+e]
	}
	return out
}

// drawGroups draws runs of one group, of rising groups and of none, long enough for vector code.
func drawGroups(t *rapid.T, groups, elements int) []int {
	var out []int
	for len(out) < elements {
		g := rapid.IntRange(graph.AlwaysPresent, groups-1).Draw(t, "group")
		step := rapid.IntRange(0, 1).Draw(t, "step")
		for range rapid.IntRange(1, 40).Draw(t, "run") {
			out = append(out, g)
			if g += step; g >= groups {
				break
			}
		}
	}
	return out[:elements]
}

// drawMask draws coalitions and points between them.
func drawMask(t *rapid.T, r *rand.Rand, n, groups int) array {
	mask := normal(r, n, groups)
	for i := range mask.data {
		mask.data[i] = rapid.SampledFrom([]float64{0, 1, 0.25, mask.data[i]}).Draw(t, "mask")
	}
	return mask
}

// TestMixOfShared: whatever combination of inputs the samples share, and however the groups lie.
func TestMixOfShared(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, perSample := rapid.IntRange(1, 4).Draw(rt, "batch"), rapid.IntRange(1, 90).Draw(rt, "elements")
		groups, seed := rapid.IntRange(1, 50).Draw(rt, "groups"), rapid.Uint64().Draw(rt, "seed")
		group, r := drawGroups(rt, groups, perSample), newRand(seed)
		operand := func(what string) input {
			if rapid.Bool().Draw(rt, what) {
				return constant(normal(r, 1, perSample))
			}
			return variable(normal(r, n, perSample))
		}
		mask := variable(drawMask(rt, r, n, groups))
		opTest{
			in:    []input{mask, operand("present"), operand("removed")},
			build: func(in G.Nodes) (*G.Node, error) { return graph.Mix(in[0], in[1], in[2], group) },
			want: func(in []input) array {
				return mixRef(in, group, func(i int) int { return i % in[2].shape[0] })
			},
		}.check(rt, seed)
		rows := rapid.IntRange(1, 5).Draw(rt, "rows")
		row := constant(zeros(n))
		for i := range row.data {
			row.data[i] = float64(rapid.IntRange(0, rows-1).Draw(rt, "row"))
		}
		opTest{
			in:    []input{mask, operand("present"), constant(normal(r, rows, perSample)), row},
			build: func(in G.Nodes) (*G.Node, error) { return graph.MixRows(in[0], in[1], in[2], in[3], group) },
			want: func(in []input) array {
				return mixRef(in, group, func(i int) int { return int(in[3].data[i]) })
			},
		}.check(rt, seed)
	})
}

// TestMixRounds: runs of any length and kind give the bits of one formula for each element.
func TestMixRounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		elements, groups := rapid.IntRange(1, 90).Draw(rt, "elements"), rapid.IntRange(1, 50).Draw(rt, "groups")
		group, r := drawGroups(rt, groups, elements), newRand(rapid.Uint64().Draw(rt, "seed"))
		mask := drawMask(rt, r, 1, groups)
		p, q := normal(r, 1, elements), normal(r, 1, elements)
		s := newSession(rt, tensor.Float32, constant(mask), constant(p), constant(q))
		s.read(must2(rt)(graph.Mix(s.in[0], s.in[1], s.in[2], group)))
		want := make([]float64, elements)
		for e, g := range group {
			m := float32(1)
			if g >= 0 {
				m = float32(mask.data[g])
			}
			there, away := float32(p.data[e]), float32(q.data[e])
			switch m {
			case 1:
				want[e] = float64(there)
			case 0:
				want[e] = float64(away)
			default:
				part := float32(m * float32(there-away))
				want[e] = float64(away + part)
			}
		}
		requireSameBits(rt, [][]float64{want}, s.run(), "mixed")
	})
}

// TestMixSharedHasNoGradient: it would depend on how the samples are cut into batches.
func TestMixSharedHasNoGradient(t *testing.T) {
	s := newSession(t, tensor.Float64, constant(zeros(2, 1)), constant(zeros(1, 3)), constant(zeros(2, 3)), constant(zeros(2, 3)), constant(zeros(2)))
	y := must2(t)(graph.Mix(s.in[0], s.in[1], s.in[2], []int{0, 0, 0}))
	rows := must2(t)(graph.MixRows(s.in[0], s.in[2], s.in[3], s.in[4], []int{0, 0, 0}))
	for _, c := range [][2]*G.Node{{y, s.in[1]}, {rows, s.in[3]}, {rows, s.in[4]}} {
		_, err := graph.Gradients(G.Nodes{c[0]}, G.Nodes{s.in[2]}, G.Nodes{c[1]})
		require.ErrorContains(t, err, "no output depends differentiably on "+c[1].Name())
	}
}

func TestMixRowsRefusesRowsThatAreNone(t *testing.T) {
	for _, row := range []float64{-1, 2, 0.5, nan, inf} {
		s := newSession(t, tensor.Float32, constant(zeros(2, 1)), constant(zeros(1, 3)), constant(zeros(2, 3)), constant(array{[]int{2}, []float64{1, row}}))
		s.read(must2(t)(graph.MixRows(s.in[0], s.in[1], s.in[2], s.in[3], []int{0, 0, 0})))
		_, err := s.tryRun()
		require.ErrorContains(t, err, "sample 1 of the batch has row "+fmt.Sprint(row))
	}
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

func TestRunnerUp(t *testing.T) {
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
			s.read(must2(rt)(graph.RunnerUp(s.in[0], s.in[1])))
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
		"Mix nil present":   {func() (*G.Node, error) { return graph.Mix(mask, nil, x, group) }, "Mix: present activations: input is nil"},
		"Mix nil removed":   {func() (*G.Node, error) { return graph.Mix(mask, x, nil, group) }, "Mix: removed activations: input is nil"},
		"Mix shapes":        {func() (*G.Node, error) { return graph.Mix(mask, x, mask, group) }, "removed activations (mask) have shape [2] for a sample, expected [3]"},
		"Mix batch":         {func() (*G.Node, error) { return graph.Mix(add("m3", 3, 2), x, x, group) }, "present activations (x) have shape (2, 3), expected 1 or 3 samples of [3]"},
		"Mix groups":        {func() (*G.Node, error) { return graph.Mix(mask, x, x, group[:2]) }, "groups of 2 elements, activations have 3"},
		"Mix unknown group": {func() (*G.Node, error) { return graph.Mix(mask, x, x, []int{0, 2, 0}) }, "element 1 is in group 2, expected -1 to 1"},
		"Mix element types": {func() (*G.Node, error) { return graph.Mix(mask, class, class, group[:1]) }, "Mix: input 1 (class) is of int"},
		"Mix removed":       {func() (*G.Node, error) { return graph.Mix(add("m1", 3, 2), add("x1", 1, 3), x, group) }, "removed activations (x) have shape (2, 3), expected 1 or 3 samples of [3]"},
		"MixRows nil row":   {func() (*G.Node, error) { return graph.MixRows(mask, x, x, nil, group) }, "MixRows: row is nil"},
		"MixRows row":       {func() (*G.Node, error) { return graph.MixRows(mask, x, x, add("row3", 3), group) }, "MixRows: row (row3) has shape (3), expected (2)"},
		"MixRows of ints":   {func() (*G.Node, error) { return graph.MixRows(mask, x, x, class, group) }, "input 3 (class) is of int"},
		"MixRows rows":      {func() (*G.Node, error) { return graph.MixRows(mask, x, mask, add("row", 2), group) }, "removed activations (mask) have shape [2] for a sample, expected [3]"},
		"Sub nil":           {func() (*G.Node, error) { return graph.Sub(nil, x) }, "Sub: input 0 is nil"},
		"Sub shapes":        {func() (*G.Node, error) { return graph.Sub(x, mask) }, "input 1 (mask) has shape (2, 2), expected (2, 3)"},
		"RunnerUp nil":         {func() (*G.Node, error) { return graph.RunnerUp(nil, class) }, "RunnerUp: input 0 is nil"},
		"RunnerUp of one":      {func() (*G.Node, error) { return graph.RunnerUp(add("one", 2, 1), class) }, "has one class"},
		"RunnerUp class":       {func() (*G.Node, error) { return graph.RunnerUp(x, add("f", 2)) }, "class (f) is of float64, expected int"},
		"RunnerUp batch":       {func() (*G.Node, error) { return graph.RunnerUp(add("x3", 3, 2), class) }, "class (class) has shape (2), expected (3)"},
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
	p := compile(t, smallNet(6), graph.Options{Profile: true, Batch: 2, Workers: 2})
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
