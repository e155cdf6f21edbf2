package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// repeated returns the element that a has at an index i of a larger shape, to which a is broadcast.
func repeated(a graphtest.Array, i []int) float64 {
	j := append([]int{}, i[len(i)-len(a.Shape):]...)
	for k, n := range a.Shape {
		if n == 1 {
			j[k] = 0
		}
	}
	return a.At(j...)
}

// broadcastTest tests an operation whose inputs broadcast to the shape to.
func broadcastTest(op func(in G.Nodes) (*G.Node, error), f func(x []float64) float64, to []int,
	in ...graphtest.Input) graphtest.Op {
	return graphtest.Op{In: in, Build: op, Want: func(in []graphtest.Input) graphtest.Array {
		return graphtest.Map(to, func(i []int) float64 {
			var x []float64
			for _, a := range in {
				x = append(x, repeated(a.Array, i))
			}
			return f(x)
		})
	}}
}

// pairs are shapes that broadcast, with the shape that they broadcast to.
var pairs = []struct{ a, b, to []int }{
	{[]int{3, 4}, []int{3, 4}, []int{3, 4}},
	{[]int{2, 3, 5, 4}, []int{2, 3, 1, 1}, []int{2, 3, 5, 4}},
	{[]int{1, 3, 1, 1}, []int{2, 3, 3, 3}, []int{2, 3, 3, 3}},
	{[]int{2, 3, 7}, []int{7}, []int{2, 3, 7}},
	{[]int{2, 3, 7}, []int{3, 7}, []int{2, 3, 7}},
	{[]int{2, 3, 7}, []int{2, 3, 1}, []int{2, 3, 7}},
	{[]int{2, 3, 4}, []int{1}, []int{2, 3, 4}},
	{[]int{1, 1}, []int{5}, []int{1, 5}},
	{[]int{4, 1}, []int{3}, []int{4, 3}},
	{[]int{2, 1, 4, 1}, []int{3, 1, 5}, []int{2, 3, 4, 5}},
	{[]int{1}, []int{1}, []int{1}},
	{[]int{2, 20, 1, 33}, []int{1, 20, 3, 33}, []int{2, 20, 3, 33}},
}

func TestArithmetic(t *testing.T) {
	for name, c := range map[string]struct {
		op       func(a, b *G.Node) (*G.Node, error)
		f        func(a, b float64) float64
		positive bool
		fixed    bool
	}{
		"Add":         {op: graph.Add, f: func(a, b float64) float64 { return a + b }},
		"Sub":         {op: graph.Sub, f: func(a, b float64) float64 { return a - b }},
		"Mul":         {op: graph.Mul, f: func(a, b float64) float64 { return a * b }},
		"Div":         {op: graph.Div, f: func(a, b float64) float64 { return a / b }, positive: true},
		"Pow":         {op: graph.Pow, f: math.Pow, positive: true},
		"Maximum":     {op: graph.Maximum, f: math.Max},
		"Minimum":     {op: graph.Minimum, f: math.Min},
		"Less":        {op: graph.Less, f: func(a, b float64) float64 { return holds(a < b) }, fixed: true},
		"LessOrEqual": {op: graph.LessOrEqual, f: func(a, b float64) float64 { return holds(a <= b) }, fixed: true},
		"Equal":       {op: graph.Equal, f: func(a, b float64) float64 { return holds(a == b) }, fixed: true},
		"And":         {op: graph.And, f: func(a, b float64) float64 { return holds(a != 0 && b != 0) }, fixed: true},
		"Or":          {op: graph.Or, f: func(a, b float64) float64 { return holds(a != 0 || b != 0) }, fixed: true},
		"Xor": {op: graph.Xor, f: func(a, b float64) float64 { return holds((a != 0) != (b != 0)) },
			fixed: true},
	} {
		for i, p := range pairs {
			for _, swap := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", p.a, p.b, swap), func(t *testing.T) {
					a := graphtest.Spread(newRand(uint64(i)), p.a...)
					b := graphtest.Spread(newRand(uint64(i+100)), p.b...)
					for k := range b.Data {
						b.Data[k] = float64(float32(b.Data[k]*0.8 + 0.013)) // different from a
					}
					for _, x := range []graphtest.Array{a, b} {
						for k, v := range x.Data {
							switch {
							case c.positive:
								x.Data[k] = float64(float32(math.Abs(v) + 0.3))
							case c.fixed:
								x.Data[k] = float64(k % 3 % 2)
							}
						}
					}
					if swap {
						a, b = b, a
					}
					in := []graphtest.Input{graphtest.Variable(a), graphtest.Variable(b)}
					if c.fixed {
						in = []graphtest.Input{graphtest.Constant(a), graphtest.Constant(b)}
					}
					for k := range in {
						if len(in[k].Shape) == len(p.to) && in[k].Shape[0] == p.to[0] {
							in[k] = in[k].Batched()
						}
					}
					broadcastTest(func(in G.Nodes) (*G.Node, error) { return c.op(in[0], in[1]) },
						func(x []float64) float64 { return c.f(x[0], x[1]) }, p.to, in...).Check(t, 1)
				})
			}
		}
	}
}

// TestPowers uses exponents that have code of their own, among others.
func TestPowers(t *testing.T) {
	for _, power := range []float64{2, 3, 0.5, -1, 0, 1.5} {
		base := graphtest.Spread(newRand(1), 3, 5)
		for i, v := range base.Data {
			base.Data[i] = math.Abs(v)
		}
		broadcastTest(func(in G.Nodes) (*G.Node, error) { return graph.Pow(in[0], in[1]) },
			func(x []float64) float64 { return math.Pow(x[0], x[1]) },
			[]int{3, 5}, graphtest.Variable(base).Batched(),
			graphtest.Constant(graphtest.NewArray([]int{1}, []float64{power}))).Check(t, 1)
	}
}

func holds(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestWhere(t *testing.T) {
	for i, p := range pairs {
		for _, m := range [][]int{p.a, p.b, p.to} {
			mask := graphtest.Zeros(m...)
			for k := range mask.Data {
				mask.Data[k] = float64(k % 3)
			}
			broadcastTest(func(in G.Nodes) (*G.Node, error) { return graph.Where(in[0], in[1], in[2]) },
				func(x []float64) float64 {
					if x[0] != 0 {
						return x[1]
					}
					return x[2]
				}, p.to, graphtest.Constant(mask), graphtest.Variable(graphtest.Normal(newRand(uint64(i)), p.a...)),
				graphtest.Variable(graphtest.Normal(newRand(uint64(i+9)), p.b...))).Check(t, 1)
		}
	}
}

func TestNot(t *testing.T) {
	x := graphtest.NewArray([]int{2, 3}, []float64{0, 1, 2, -1, 0, 0.5})
	elementwise(func(in G.Nodes) (*G.Node, error) { return graph.Not(in[0]) },
		func(x []float64) float64 { return holds(x[0] == 0) },
		graphtest.Constant(x)).Check(t, 1)
}

// TestArithmeticEdges looks at ties, zeros, infinities and NaN.
func TestArithmeticEdges(t *testing.T) {
	pair := func(op func(a, b *G.Node) (*G.Node, error), a, b []float64, want, da, db []float64) {
		t.Helper()
		for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			n := len(a)
			s := graphtest.NewSession(t, dtype, graphtest.Variable(graphtest.NewArray([]int{n}, a)),
				graphtest.Variable(graphtest.NewArray([]int{n}, b)))
			y := must2(t)(op(s.In[0], s.In[1]))
			ones := graphtest.Zeros(n)
			for i := range ones.Data {
				ones.Data[i] = 1
			}
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{s.Add(graphtest.Constant(ones), "ones")}, s.In)
			require.NoError(t, err)
			s.Read(y)
			s.Read(gs...)
			for i, got := range s.Run() {
				graphtest.RequireClose(t, [][]float64{want, da, db}[i], got, 1e-6, fmt.Sprint("result ", i))
			}
		}
	}
	pair(graph.Maximum, []float64{1, nan, 1, -inf, 2}, []float64{1, 1, nan, inf, 1}, []float64{1, nan, nan, inf, 2},
		[]float64{0.5, 1, 1, 0, 1}, []float64{0.5, 1, 1, 1, 0})
	pair(graph.Minimum, []float64{1, nan, 1, -inf, 2}, []float64{1, 1, nan, inf, 1}, []float64{1, nan, nan, -inf, 1},
		[]float64{0.5, 1, 1, 1, 0}, []float64{0.5, 1, 1, 0, 1})
	pair(graph.Pow, []float64{0, 0, -2, 4, 0}, []float64{0, 2, 3, 0.5, 1}, []float64{1, 0, -8, 2, 0},
		[]float64{0, 0, 12, 0.25, 1}, []float64{0, 0, nan, 2 * math.Log(4), 0})
	pair(graph.Div, []float64{1, 0}, []float64{0, 2}, []float64{inf, 0}, []float64{inf, 0.5}, []float64{-inf, 0})
}
