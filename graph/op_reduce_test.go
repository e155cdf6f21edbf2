package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

var reductions = map[string]struct {
	op func(x *G.Node, keep bool, axes ...int) (*G.Node, error)
	f  func(x []float64) float64
}{
	"Sum":  {graph.ReduceSum, sumOf},
	"Mean": {graph.ReduceMean, func(x []float64) float64 { return sumOf(x) / float64(len(x)) }},
	"Max":  {graph.ReduceMax, slices.Max[[]float64]},
	"Min":  {graph.ReduceMin, slices.Min[[]float64]},
	"Prod": {graph.ReduceProd, func(x []float64) float64 {
		p := 1.0
		for _, v := range x {
			p *= v
		}
		return p
	}},
	"LogSumExp": {graph.ReduceLogSumExp, func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s += math.Exp(v)
		}
		return math.Log(s)
	}},
}

func sumOf(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// reduceTest tests a reduction. f computes a result from the elements that are reduced to it, in order.
func reduceTest(op func(x *G.Node, keep bool,
	axes ...int) (*G.Node, error), f func(x []float64) float64, x graphtest.Array, keep bool,
	axes ...int) graphtest.Op {
	rank := len(x.Shape)
	named := make([]bool, rank)
	for _, a := range axes {
		named[(a+rank)%rank] = true
	}
	kept, to := []int{}, []int{}
	for i, n := range x.Shape {
		if named[i] || len(axes) == 0 {
			n = 1
			if keep {
				to = append(to, 1)
			}
		} else {
			to = append(to, n)
		}
		kept = append(kept, n)
	}
	if len(to) == 0 {
		to = []int{1}
	}
	return graphtest.Op{
		In:    []graphtest.Input{graphtest.Variable(x)},
		Build: func(in G.Nodes) (*G.Node, error) { return op(in[0], keep, axes...) },
		Want: func(in []graphtest.Input) graphtest.Array {
			out := graphtest.Zeros(to...)
			sets := make([][]float64, len(out.Data))
			graphtest.Each(x.Shape, func(i []int) {
				at := 0
				for k, n := range kept {
					at = at*n + min(i[k], n-1)
				}
				sets[at] = append(sets[at], in[0].At(i...))
			})
			for i, s := range sets {
				out.Data[i] = f(s)
			}
			return out
		},
	}
}

func TestReduce(t *testing.T) {
	for name, c := range reductions {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "shape")
				axes := rapid.SliceOfNDistinct(rapid.IntRange(0, len(shape)-1), 0, len(shape), rapid.ID).Draw(rt,
					"axes")
				for i, a := range axes {
					if rapid.Bool().Draw(rt, "from behind") {
						axes[i] = a - len(shape)
					}
				}
				reduceTest(c.op, c.f, graphtest.Spread(newRand(3), shape...), rapid.Bool().Draw(rt, "keep"),
					axes...).Check(rt, 1)
			})
			if name == "Prod" {
				return
			}
			reduceTest(c.op, c.f, graphtest.Spread(newRand(3), 2, 3, 13, 11), true, 2, 3).Check(t, 1)
			reduceTest(c.op, c.f, graphtest.Spread(newRand(3), 3, 5, 37), false, 0, 1).Check(t, 1)
			reduceTest(c.op, c.f, graphtest.Spread(newRand(3), 3, 5, 2, 37), false, 1, 3).Check(t, 1)
		})
	}
}

// TestReduceMeanIsGlobalAvgPool: both give the same bits.
func TestReduceMeanIsGlobalAvgPool(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		s := graphtest.NewSession(t, dtype, graphtest.Variable(graphtest.Normal(newRand(1), 3, 7, 13, 11)))
		a, b := must2(t)(graph.GlobalAvgPool2D(s.In[0])), must2(t)(graph.ReduceMean(s.In[0], false, -1, -2))
		var all G.Nodes
		for _, y := range (G.Nodes{a, b}) {
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{s.Add(graphtest.Constant(graphtest.Normal(newRand(2), 3, 7)),
				"c"+y.Name())}, s.In)
			require.NoError(t, err)
			all = append(all, gs[0])
		}
		s.Read(a, b)
		s.Read(all...)
		got := s.Run()
		graphtest.RequireSameBits(t, got[:1], got[1:2], "value")
		graphtest.RequireSameBits(t, got[2:3], got[3:], "gradient")
	}
}

func TestReduceEdges(t *testing.T) {
	x := graphtest.NewArray([]int{2, 4}, []float64{1, 3, 3, 2, nan, 1, nan, 2})
	along := func(op func(x *G.Node, keep bool, axes ...int) (*G.Node, error), axis int) func(x *G.Node) (*G.Node,
		error) {
		return func(x *G.Node) (*G.Node, error) { return op(x, false, axis) }
	}
	edge(t, along(graph.ReduceMax, 1), x, []float64{3, nan}, []float64{0, 1, 0, 0, 2, 0, 0, 0})
	edge(t, along(graph.ReduceMin, 1), x, []float64{1, nan}, []float64{1, 0, 0, 0, 2, 0, 0, 0})
	edge(t, along(graph.ReduceMax, 0), x, []float64{nan, 3, nan, 2}, []float64{0, 2, 0, 4, 1, 0, 3, 0})
	edge(t, along(graph.ReduceProd, 1), graphtest.NewArray([]int{3, 3}, []float64{2, 0, 3, 0, 0, 1, 2, 3, 4}),
		[]float64{0, 0, 24}, []float64{0, 6, 0, 0, 0, 0, 36, 24, 18})
	edge(t, along(graph.ReduceLogSumExp, 1), graphtest.NewArray([]int{2, 2}, []float64{1000, 1000, -inf, 0}),
		[]float64{1000 + math.Ln2, 0}, []float64{0.5, 0.5, 0, 2})
}

func TestSoftmaxAxis(t *testing.T) {
	for _, log := range []bool{false, true} {
		op := graph.SoftmaxAxis
		if log {
			op = graph.LogSoftmaxAxis
		}
		for _, shape := range [][]int{{5}, {3, 4}, {2, 3, 4}, {2, 3, 1, 1}, {2, 3, 5, 7}} {
			for axis := -len(shape); axis < len(shape); axis++ {
				t.Run(fmt.Sprint(log, shape, axis), func(t *testing.T) {
					a := (axis + len(shape)) % len(shape)
					graphtest.Op{
						In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(1), shape...))},
						Build: func(in G.Nodes) (*G.Node, error) { return op(in[0], axis) },
						Want: func(in []graphtest.Input) graphtest.Array {
							return graphtest.Map(shape, func(i []int) float64 {
								sum := 0.0
								j := append([]int{}, i...)
								for j[a] = range shape[a] {
									sum += math.Exp(in[0].At(j...))
								}
								if log {
									return in[0].At(i...) - math.Log(sum)
								}
								return math.Exp(in[0].At(i...)) / sum
							})
						},
					}.Check(t, 1)
				})
			}
		}
	}
}
