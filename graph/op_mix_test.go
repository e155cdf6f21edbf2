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
	"github.com/line-ood/goline/graph/graphtest"
)

func TestMix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		groups := rapid.IntRange(1, 4).Draw(rt, "groups")
		perSample := size(shape[1:]...)
		group := rapid.SliceOfN(rapid.IntRange(graph.AlwaysPresent, groups-1), perSample, perSample).Draw(rt, "group")
		r := newRand(seed)
		graphtest.Op{
			In: []graphtest.Input{graphtest.Variable(graphtest.Normal(r, shape[0], groups)).Batched(),
				graphtest.Variable(graphtest.Normal(r, shape...)).Batched(),
				graphtest.Variable(graphtest.Normal(r, shape...)).Batched()},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Mix(in[0], in[1], in[2], group) },
			Want: func(in []graphtest.Input) graphtest.Array {
				out := graphtest.Zeros(shape...)
				for i := range out.Data {
					m := 1.0
					if g := group[i%perSample]; g >= 0 {
						m = in[0].At(i/perSample, g)
					}
					out.Data[i] = m*in[1].Data[i] + (1-m)*in[2].Data[i]
				}
				return out
			},
		}.Check(rt, seed)
	})
}

// mixRef computes the reference of Mix, from inputs with one row for all samples or one for each.
func mixRef(in []graphtest.Input, group []int, row func(i int) int) graphtest.Array {
	n, one := in[0].Shape[0], size(in[1].Shape[1:]...)
	out := graphtest.Zeros(append([]int{n}, in[1].Shape[1:]...)...)
	for i := range out.Data {
		s, e := i/one, i%one
		m := 1.0
		if g := group[e]; g >= 0 {
			m = in[0].At(s, g)
		}
		out.Data[i] = m*in[1].Data[s%in[1].Shape[0]*one+e] + (1-m)*in[2].Data[row(s)*one+e]
	}
	return out
}

// drawGroups draws a list of groups. It consists of runs of one group, of rising groups and of no group, long enough
// for vector code.
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

// drawMask draws masks of zeros and ones, and of numbers between.
func drawMask(t *rapid.T, r *rand.Rand, n, groups int) graphtest.Array {
	mask := graphtest.Normal(r, n, groups)
	for i := range mask.Data {
		mask.Data[i] = rapid.SampledFrom([]float64{0, 1, 0.25, mask.Data[i]}).Draw(t, "mask")
	}
	return mask
}

// TestMixOfShared: the result is right for any arrangement of groups, whichever of the inputs the samples share.
func TestMixOfShared(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, perSample := rapid.IntRange(1, 4).Draw(rt, "batch"), rapid.IntRange(1, 90).Draw(rt, "elements")
		groups, seed := rapid.IntRange(1, 50).Draw(rt, "groups"), rapid.Uint64().Draw(rt, "seed")
		group, r := drawGroups(rt, groups, perSample), newRand(seed)
		operand := func(what string) graphtest.Input {
			if rapid.Bool().Draw(rt, what) {
				return graphtest.Constant(graphtest.Normal(r, 1, perSample))
			}
			return graphtest.Variable(graphtest.Normal(r, n, perSample)).Batched()
		}
		mask := graphtest.Variable(drawMask(rt, r, n, groups)).Batched()
		graphtest.Op{
			In:    []graphtest.Input{mask, operand("present"), operand("removed")},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Mix(in[0], in[1], in[2], group) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return mixRef(in, group, func(i int) int { return i % in[2].Shape[0] })
			},
		}.Check(rt, seed)
		rows := rapid.IntRange(1, 5).Draw(rt, "rows")
		row := graphtest.Constant(graphtest.Zeros(n)).Batched()
		for i := range row.Data {
			row.Data[i] = float64(rapid.IntRange(0, rows-1).Draw(rt, "row"))
		}
		graphtest.Op{
			In: []graphtest.Input{mask, operand("present"), graphtest.Constant(graphtest.Normal(r, rows, perSample)),
				row},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.MixRows(in[0], in[1], in[2], in[3], group) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return mixRef(in, group, func(i int) int { return int(in[3].Data[i]) })
			},
		}.Check(rt, seed)
	})
}

// TestMixRounds: runs of any length and kind give the same bits as one formula, computed for each element.
func TestMixRounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		elements, groups := rapid.IntRange(1, 90).Draw(rt, "elements"), rapid.IntRange(1, 50).Draw(rt, "groups")
		group, r := drawGroups(rt, groups, elements), newRand(rapid.Uint64().Draw(rt, "seed"))
		mask := drawMask(rt, r, 1, groups)
		p, q := graphtest.Normal(r, 1, elements), graphtest.Normal(r, 1, elements)
		s := graphtest.NewSession(rt, tensor.Float32, graphtest.Constant(mask), graphtest.Constant(p),
			graphtest.Constant(q))
		s.Read(must2(rt)(graph.Mix(s.In[0], s.In[1], s.In[2], group)))
		want := make([]float64, elements)
		for e, g := range group {
			m := float32(1)
			if g >= 0 {
				m = float32(mask.Data[g])
			}
			there, away := float32(p.Data[e]), float32(q.Data[e])
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
		graphtest.RequireSameBits(rt, [][]float64{want}, s.Run(), "mixed")
	})
}

// TestMixSharedHasNoGradient: a gradient by a shared input would depend on how the samples are cut into batches.
func TestMixSharedHasNoGradient(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Constant(graphtest.Zeros(2, 1)),
		graphtest.Constant(graphtest.Zeros(1, 3)), graphtest.Constant(graphtest.Zeros(2, 3)),
		graphtest.Constant(graphtest.Zeros(2, 3)), graphtest.Constant(graphtest.Zeros(2)))
	y := must2(t)(graph.Mix(s.In[0], s.In[1], s.In[2], []int{0, 0, 0}))
	rows := must2(t)(graph.MixRows(s.In[0], s.In[2], s.In[3], s.In[4], []int{0, 0, 0}))
	for _, c := range [][2]*G.Node{{y, s.In[1]}, {rows, s.In[3]}, {rows, s.In[4]}} {
		_, err := graph.Gradients(G.Nodes{c[0]}, G.Nodes{s.In[2]}, G.Nodes{c[1]})
		require.ErrorContains(t, err, "no output depends differentiably on "+c[1].Name())
	}
}

func TestMixRowsRefusesRowsThatAreNone(t *testing.T) {
	for _, row := range []float64{-1, 2, 0.5, nan, inf} {
		s := graphtest.NewSession(t, tensor.Float32, graphtest.Constant(graphtest.Zeros(2, 1)),
			graphtest.Constant(graphtest.Zeros(1, 3)), graphtest.Constant(graphtest.Zeros(2, 3)),
			graphtest.Constant(graphtest.NewArray([]int{2}, []float64{1, row})))
		s.Read(must2(t)(graph.MixRows(s.In[0], s.In[1], s.In[2], s.In[3], []int{0, 0, 0})))
		_, err := s.TryRun()
		require.ErrorContains(t, err, "sample 1 of the batch: expected a row from 0 to 1, got "+fmt.Sprint(row))
	}
}

// TestMixOfCoalitions: masks of 0 and 1 copy the chosen values bit by bit. The values that are not chosen may be
// anything, even NaN.
func TestMixOfCoalitions(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float32,
		graphtest.Constant(graphtest.NewArray([]int{2, 2}, []float64{1, 0, 0, 1})),
		graphtest.Constant(graphtest.NewArray([]int{2, 3}, []float64{0.1, nan, 3, inf, 5, 6})),
		graphtest.Constant(graphtest.NewArray([]int{2, 3}, []float64{inf, 20, nan, 40, nan, 60})))
	s.Read(must2(t)(graph.Mix(s.In[0], s.In[1], s.In[2], []int{0, 1, graph.AlwaysPresent})))
	require.Equal(t, [][]float64{{float64(float32(0.1)), 20, 3, 40, 5, 6}}, s.Run())
}

func TestSub(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		elementwise(func(in G.Nodes) (*G.Node, error) { return graph.Sub(in[0], in[1]) },
			func(x []float64) float64 { return x[0] - x[1] },
			graphtest.Variable(graphtest.Normal(newRand(seed), shape...)),
			graphtest.Variable(graphtest.Normal(newRand(seed+1), shape...))).Check(rt, seed)
	})
	elementwise(func(in G.Nodes) (*G.Node, error) { return graph.Sub(in[0], in[0]) },
		func(x []float64) float64 { return 0 },
		graphtest.Variable(graphtest.Normal(newRand(1), 2, 3))).Check(t, 1)
}

func TestRunnerUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, k := rapid.IntRange(1, 3).Draw(rt, "batch"), rapid.IntRange(2, 5).Draw(rt, "classes")
		x := graphtest.Zeros(n, k)
		for i := range x.Data {
			x.Data[i] = rapid.SampledFrom([]float64{-inf, -1, 0, 1, inf, nan}).Draw(rt, "x")
		}
		class := drawClasses(rt, n, k)
		want := make([]float64, n)
		for i := range want {
			best := -1
			for j := range k {
				if j == class[i] {
					continue
				}
				if v := x.At(i, j); best < 0 || v > x.At(i, best) || math.IsNaN(v) && !math.IsNaN(x.At(i, best)) {
					best = j
				}
			}
			want[i] = float64(best)
		}
		for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			s := graphtest.NewSession(rt, dtype, graphtest.Constant(x), graphtest.ClassInput(class...))
			s.Read(must2(rt)(graph.RunnerUp(s.In[0], s.In[1])))
			require.Equal(rt, [][]float64{want}, s.Run())
		}
	})
}

func TestMixErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	mask, x, class := add("mask", 2, 2), add("x", 2, 3), s.Add(graphtest.ClassInput(0, 1), "class")
	group := []int{0, 1, -1}
	for name, c := range map[string]struct {
		op   func() (*G.Node, error)
		want string
	}{
		"Mix nil mask": {func() (*G.Node, error) { return graph.Mix(nil, x, x, group) },
			"Mix: input 0: expected a node, got nil"},
		"Mix nil present": {func() (*G.Node, error) { return graph.Mix(mask, nil, x, group) },
			"Mix: present activations: expected an input, got nil"},
		"Mix nil removed": {func() (*G.Node, error) { return graph.Mix(mask, x, nil, group) },
			"Mix: removed activations: expected an input, got nil"},
		"Mix shapes": {func() (*G.Node, error) { return graph.Mix(mask, x, mask, group) },
			"removed activations (mask): expected shape [3] for a sample, got [2]"},
		"Mix batch": {func() (*G.Node, error) { return graph.Mix(add("m3", 3, 2), x, x, group) },
			"present activations (x): expected 1 or 3 samples of [3], got shape (2, 3)"},
		"Mix groups": {func() (*G.Node, error) { return graph.Mix(mask, x, x, group[:2]) },
			"Mix: expected a group for each of 3 activations, got 2"},
		"Mix unknown group": {func() (*G.Node, error) { return graph.Mix(mask, x, x, []int{0, 2, 0}) },
			"element 1: expected a group from -1 to 1, got 2"},
		"Mix element types": {func() (*G.Node, error) { return graph.Mix(mask, class, class, group[:1]) },
			"Mix: input 1 (class) is of int"},
		"Mix removed": {func() (*G.Node, error) { return graph.Mix(add("m1", 3, 2), add("x1", 1, 3), x, group) },
			"removed activations (x): expected 1 or 3 samples of [3], got shape (2, 3)"},
		"MixRows nil row": {func() (*G.Node, error) { return graph.MixRows(mask, x, x, nil, group) },
			"MixRows: row: expected a node, got nil"},
		"MixRows row": {func() (*G.Node, error) { return graph.MixRows(mask, x, x, add("row3", 3), group) },
			"MixRows: row (row3): expected shape (2), got (3)"},
		"MixRows of ints": {func() (*G.Node, error) { return graph.MixRows(mask, x, x, class, group) },
			"input 3 (class) is of int"},
		"MixRows rows": {func() (*G.Node, error) { return graph.MixRows(mask, x, mask, add("row", 2), group) },
			"removed activations (mask): expected shape [3] for a sample, got [2]"},
		"Sub nil": {func() (*G.Node, error) { return graph.Sub(nil, x) },
			"Sub: input 0: expected a node, got nil"},
		"Sub shapes": {func() (*G.Node, error) { return graph.Sub(x, mask) },
			"Sub: shape (2, 2) does not broadcast with (2, 3)"},
		"RunnerUp nil": {func() (*G.Node, error) { return graph.RunnerUp(nil, class) },
			"RunnerUp: input 0: expected a node, got nil"},
		"RunnerUp of one": {func() (*G.Node, error) { return graph.RunnerUp(add("one", 2, 1), class) },
			"expected at least two classes"},
		"RunnerUp class": {func() (*G.Node, error) { return graph.RunnerUp(x, add("f", 2)) },
			"class (f): expected int, got float64"},
		"RunnerUp batch": {func() (*G.Node, error) { return graph.RunnerUp(add("x3", 3, 2), class) },
			"class (class): expected shape (3), got (2)"},
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
	}{{"block", conv}, {"logits", conv + linear}, {"contribution", conv + 2*linear},
		{"image gradient", 2 * (conv + linear)}} {
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
