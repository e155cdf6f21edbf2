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

func TestLinear(t *testing.T) {
	check := func(t tester, seed uint64, n, in, out int, bias bool) {
		t.Helper()
		r := newRand(seed)
		inputs := []graphtest.Input{graphtest.Variable(graphtest.Normal(r, n, in)).Batched(),
			graphtest.Variable(graphtest.Normal(r, out, in))}
		if bias {
			inputs = append(inputs, graphtest.Variable(graphtest.Normal(r, out)))
		}
		graphtest.Op{
			In: inputs,
			Build: func(in G.Nodes) (*G.Node, error) {
				if bias {
					return graph.Linear(in[0], in[1], in[2])
				}
				return graph.Linear(in[0], in[1], nil)
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				if bias {
					return linearRef(in[0].Array, in[1].Array, in[2].Data)
				}
				return linearRef(in[0].Array, in[1].Array, nil)
			},
		}.Check(t, seed)
	}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
		check(rt, rapid.Uint64().Draw(rt, "seed"), draw("batch", 4), draw("in", 9), draw("out", 9),
			rapid.Bool().Draw(rt, "bias"))
	})
	check(t, 1, 5, 67, 33, true)
}

// classes draws one class per sample.
func drawClasses(rt *rapid.T, n, classes int) []int {
	return rapid.SliceOfN(rapid.IntRange(0, classes-1), n, n).Draw(rt, "class")
}

func TestClassMask(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
		n, d, k := draw("batch", 4), draw("features", 6), draw("classes", 4)
		seed := rapid.Uint64().Draw(rt, "seed")
		graphtest.Op{
			In: []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(seed), n, d)).Batched(),
				graphtest.Constant(graphtest.Normal(newRand(seed+1), k, d)),
				graphtest.ClassInput(drawClasses(rt, n, k)...)},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.ClassMask(in[0], in[2], in[1]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map([]int{n, d}, func(i []int) float64 {
					return in[0].At(i...) * in[1].At(in[2].Classes[i[0]], i[1])
				})
			},
		}.Check(rt, seed)
	})
}

func TestClassClip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
		// up to 40 features: more than a vector register holds, and a remainder
		n, d, k := draw("batch", 4), draw("features", 40), draw("classes", 4)
		seed := rapid.Uint64().Draw(rt, "seed")
		z, limit := graphtest.Normal(newRand(seed), n, d), graphtest.Normal(newRand(seed+1), k, d)
		class := drawClasses(rt, n, k)
		for i := range z.Data { // keeps central differences from crossing the limit
			if l := limit.At(class[i/d], i%d); math.Abs(z.Data[i]-l) < 0.05 {
				z.Data[i] = l + 0.05
			}
		}
		graphtest.Op{
			In: []graphtest.Input{graphtest.Variable(z).Batched(), graphtest.Constant(limit),
				graphtest.ClassInput(class...)},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.ClassClip(in[0], in[2], in[1]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map([]int{n, d}, func(i []int) float64 {
					return math.Min(in[0].At(i...), in[1].At(in[2].Classes[i[0]], i[1]))
				})
			},
		}.Check(rt, seed)
	})
}

// routedTable is LINe's mask as its authors' code builds it: a table of classes × classes × features, looked up by
// class.
func routedTable(weight, contribution, threshold graphtest.Array) graphtest.Array {
	k, d := weight.Shape[0], weight.Shape[1]
	return graphtest.Map([]int{k, k, d}, func(i []int) float64 {
		c, j, f := i[0], i[1], i[2]
		// Both precisions round the product once before it is compared.
		if contribution.At(c, f)*weight.At(j, f) > threshold.Data[c] {
			return 1
		}
		return 0
	})
}

func routedTest(z, weight, bias, contribution, threshold graphtest.Array, class []int) graphtest.Op {
	return graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(z).Batched(), graphtest.Constant(weight), graphtest.Constant(bias),
			graphtest.Constant(contribution), graphtest.Constant(threshold), graphtest.ClassInput(class...)},
		Build: func(in G.Nodes) (*G.Node, error) {
			return graph.RoutedLinear(in[0], in[5], graph.RoutedHead{Weight: in[1], Bias: in[2], Contribution: in[3],
				Threshold: in[4]})
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			table := routedTable(in[1].Array, in[3].Array, in[4].Array)
			return graphtest.Map([]int{z.Shape[0], weight.Shape[0]}, func(i []int) float64 {
				sum := in[2].Data[i[1]]
				for f := range z.Shape[1] {
					sum += in[0].At(i[0], f) * in[1].At(i[1], f) * table.At(in[5].Classes[i[0]], i[1], f)
				}
				return sum
			})
		},
	}
}

func TestRoutedLinear(t *testing.T) {
	check := func(t tester, seed uint64, n, d, k int, class []int) {
		t.Helper()
		r := newRand(seed)
		weight, contribution := graphtest.Normal(r, k, d), graphtest.Normal(r, k, d)
		for i := range contribution.Data {
			contribution.Data[i] = math.Abs(contribution.Data[i])
		}
		threshold := graphtest.Normal(r, k) // some rows keep nearly all, others little
		for i := range weight.Data {
			for c := range k {
				if math.Abs(contribution.At(c, i%d)*weight.Data[i]-threshold.Data[c]) < 1e-5 {
					return // too near to the threshold: in float32 the product may fall on its other side
				}
			}
		}
		routedTest(graphtest.Normal(r, n, d), weight, graphtest.Normal(r, k), contribution, threshold, class).Check(t,
			seed)
	}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
		n, d, k := draw("batch", 4), draw("features", 9), draw("classes", 5)
		check(rt, rapid.Uint64().Draw(rt, "seed"), n, d, k, drawClasses(rt, n, k))
	})
	check(t, 1, 6, 70, 7, []int{0, 6, 3, 3, 1, 5})
}

// TestRoutedLinearThreshold: a product equal to the threshold is dropped; -Inf keeps all and +Inf nothing.
func TestRoutedLinearThreshold(t *testing.T) {
	o := routedTest(
		graphtest.NewArray([]int{3, 2}, []float64{10, 100, 10, 100, 10, 100}),
		graphtest.NewArray([]int{3, 2}, []float64{1, 2, 3, 4, -5, 6}),
		graphtest.NewArray([]int{3}, []float64{0.5, 0, -0.5}),
		graphtest.NewArray([]int{3, 2}, []float64{2, 1, 1, 1, 1, 1}),
		graphtest.NewArray([]int{3}, []float64{2, -inf, inf}), []int{0, 1, 2})
	want := []float64{
		0.5, 30*1 + 0 + 400, 600 - 0.5, // class 0 keeps products above 2: 2·3, 1·4, 1·6
		210.5, 430, -50 + 600 - 0.5,
		0.5, 0, -0.5,
	}
	require.Equal(t, want, o.Want(o.In).Data)
	o.Check(t, 1)
}

func TestLinearErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	z, w, b, c, class := add("z", 2, 3), add("w", 4, 3), add("b", 4), add("c", 4, 3), s.Add(graphtest.ClassInput(0, 1),
		"class")
	head := graph.RoutedHead{Weight: w, Bias: b, Contribution: c, Threshold: add("threshold", 4)}
	with := func(f func(h *graph.RoutedHead)) graph.RoutedHead {
		h := head
		f(&h)
		return h
	}
	w32 := graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(4, 3)), "w32")
	for name, c := range map[string]struct {
		op   func() (*G.Node, error)
		want string
	}{
		"Linear nil": {func() (*G.Node, error) { return graph.Linear(nil, w, b) },
			"Linear: input 0: expected a node, got nil"},
		"Linear nil weight": {func() (*G.Node, error) { return graph.Linear(z, nil, b) },
			"Linear: input 1: expected a node, got nil"},
		"Linear axes": {func() (*G.Node, error) { return graph.Linear(b, w, b) },
			"input 0 (b): expected at least 2 axes, got shape (4)"},
		"Linear features": {func() (*G.Node, error) { return graph.Linear(z, add("w2", 4, 2), b) },
			"weight (w2): expected shape (4, 3), got (4, 2)"},
		"Linear bias": {func() (*G.Node, error) { return graph.Linear(z, w, add("b2", 3)) },
			"bias (b2): expected shape (4), got (3)"},
		"Linear element types": {func() (*G.Node, error) { return graph.Linear(z, w32, nil) },
			"input 1 (w32) is of float32"},
		"ClassMask nil": {func() (*G.Node, error) { return graph.ClassMask(z, class, nil) },
			"ClassMask: input 1: expected a node, got nil"},
		"ClassMask nil class": {func() (*G.Node, error) { return graph.ClassMask(z, nil, w) },
			"class: expected a node, got nil"},
		"ClassMask float class": {func() (*G.Node, error) { return graph.ClassMask(z, add("f", 2), w) },
			"class (f): expected int, got float64"},
		"ClassMask features": {func() (*G.Node, error) { return graph.ClassMask(z, class, add("table", 4, 2)) },
			"table (table): expected shape (4, 3), got (4, 2)"},
		"ClassMask batch": {func() (*G.Node, error) {
			return graph.ClassMask(z, s.Add(graphtest.ClassInput(1, 2, 3), "class3"), w)
		}, "class (class3): expected shape (2), got (3)"},
		"ClassClip nil": {func() (*G.Node, error) { return graph.ClassClip(z, class, nil) },
			"ClassClip: input 1: expected a node, got nil"},
		"ClassClip nil class": {func() (*G.Node, error) { return graph.ClassClip(z, nil, w) },
			"class: expected a node, got nil"},
		"ClassClip float class": {func() (*G.Node, error) { return graph.ClassClip(z, add("f2", 2), w) },
			"class (f2): expected int, got float64"},
		"ClassClip features": {func() (*G.Node, error) { return graph.ClassClip(z, class, add("limit", 4, 2)) },
			"limit (limit): expected shape (4, 3), got (4, 2)"},
		"ClassClip batch": {func() (*G.Node, error) {
			return graph.ClassClip(z, s.Add(graphtest.ClassInput(1, 2, 3), "classes3"), w)
		}, "class (classes3): expected shape (2), got (3)"},
		"RoutedLinear nil": {func() (*G.Node, error) { return graph.RoutedLinear(nil, class, head) },
			"input 0: expected a node, got nil"},
		"RoutedLinear no weight": {func() (*G.Node, error) { return graph.RoutedLinear(z, class, graph.RoutedHead{}) },
			"input 1: expected a node, got nil"},
		"RoutedLinear no bias": {func() (*G.Node, error) {
			return graph.RoutedLinear(z, class, with(func(h *graph.RoutedHead) { h.Bias = nil }))
		}, "bias: expected a node, got nil"},
		"RoutedLinear contribution": {func() (*G.Node, error) {
			return graph.RoutedLinear(z, class, with(func(h *graph.RoutedHead) { h.Contribution = z }))
		}, "contribution (z): expected shape (4, 3), got (2, 3)"},
		"RoutedLinear threshold": {func() (*G.Node, error) {
			return graph.RoutedLinear(z, class, with(func(h *graph.RoutedHead) { h.Threshold = w }))
		}, "threshold (w)"},
		"RoutedLinear class": {func() (*G.Node, error) { return graph.RoutedLinear(z, add("g", 2), head) },
			"class (g): expected int, got float64"},
		"SelectClass nil": {func() (*G.Node, error) { return graph.SelectClass(nil, class) },
			"input 0: expected a node, got nil"},
		"SelectClass floats": {func() (*G.Node, error) { return graph.SelectClass(class, add("h", 2)) },
			"expected int"},
		"SelectClass batch": {func() (*G.Node, error) {
			return graph.SelectClass(class, s.Add(graphtest.ClassInput(1), "one"))
		}, "fallback (one): expected shape (2), got (1)"},
		"ArgMax nil": {func() (*G.Node, error) { return graph.ArgMax(nil) },
			"ArgMax: input 0: expected a node, got nil"},
		"ArgMax of classes": {func() (*G.Node, error) { return graph.ArgMax(class) }, "expected 2 axes"},
		"Gather nil": {func() (*G.Node, error) { return graph.Gather(z, nil) },
			"class: expected a node, got nil"},
		"Gather floats": {func() (*G.Node, error) { return graph.Gather(z, add("i", 2)) }, "expected int"},
		"Softmax axes": {func() (*G.Node, error) { return graph.Softmax(b) },
			"Softmax: input 0 (b): expected 2 axes, got shape (4)"},
		"LogSoftmax nil": {func() (*G.Node, error) { return graph.LogSoftmax(nil) },
			"LogSoftmax: input 0: expected a node, got nil"},
		"LogSumExp nil": {func() (*G.Node, error) { return graph.LogSumExp(nil) },
			"LogSumExp: input 0: expected a node, got nil"},
		"contribution of nil": {func() (*G.Node, error) {
			return graph.GradientTimesActivation(nil, z, class, add("ones", 2))
		}, "expected a node, got nil"},
		"contribution, no ones": {func() (*G.Node, error) { return graph.GradientTimesActivation(z, z, class, nil) },
			"seed 0: expected a node, got nil"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := c.op()
			require.ErrorContains(t, err, c.want)
			require.Nil(t, n)
		})
	}
}
