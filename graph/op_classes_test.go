package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// argMaxRef returns the index of the first NaN, or else of the first of the largest elements.
func argMaxRef(row []float64) int {
	for i, v := range row {
		if math.IsNaN(v) {
			return i
		}
	}
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

func TestArgMax(t *testing.T) {
	check := func(t tester, x graphtest.Array) {
		t.Helper()
		want := make([]float64, x.Shape[0])
		for i := range want {
			want[i] = float64(argMaxRef(x.Data[i*x.Shape[1]:][:x.Shape[1]]))
		}
		for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
			s := graphtest.NewSession(t, dtype, graphtest.Variable(x))
			y := must2(t)(graph.ArgMax(s.In[0]))
			require.Equal(t, tensor.Int, y.Dtype())
			require.Equal(t, []int{x.Shape[0]}, []int(y.Shape()))
			s.Read(y)
			for range 2 {
				require.Equal(t, [][]float64{want}, s.Run())
			}
		}
	}
	check(t, graphtest.NewArray([]int{8, 3}, []float64{
		1, 2, 3,
		2, 2, 1, // ties: the first
		3, 1, 3,
		nan, 1, inf, // NaN beats all
		0, nan, nan, // the first NaN
		inf, nan, 1,
		-inf, -inf, -inf,
		0, math.Copysign(0, -1), 0,
	}))
	check(t, graphtest.NewArray([]int{2, 1}, []float64{nan, 1}))
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
		x := graphtest.Zeros(draw("batch", 3), draw("classes", 6))
		values := []float64{-inf, -1, 0, 0.5, 1, inf, nan} // few different values, so that there are ties
		for i := range x.Data {
			x.Data[i] = rapid.SampledFrom(values).Draw(rt, "x")
		}
		check(rt, x)
	})
}

func TestSelectClass(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.ClassInput(3, -1, 0, -7), graphtest.ClassInput(9, 8, 7, 6))
	s.Read(must2(t)(graph.SelectClass(s.In[0], s.In[1])))
	for range 2 {
		require.Equal(t, [][]float64{{3, 8, 0, 6}}, s.Run())
	}
	require.Equal(t, [][]float64{{1, 2, 3, 4}}, s.Run(graphtest.ClassInput(-1, -1, -1, -1),
		graphtest.ClassInput(1, 2, 3, 4)))
}

func TestGather(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, k := rapid.IntRange(1, 5).Draw(rt, "batch"), rapid.IntRange(1, 5).Draw(rt, "classes")
		graphtest.Op{
			In: []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(1), n, k)).Batched(),
				graphtest.ClassInput(drawClasses(rt, n, k)...)},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Gather(in[0], in[1]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map([]int{n}, func(i []int) float64 { return in[0].At(i[0], in[1].Classes[i[0]]) })
			},
		}.Check(rt, 1)
	})
}

// TestClassOutOfRange: classes are data, so only a run can find a class that does not exist. The run fails, a gradient
// alone fails too, and later runs work.
func TestClassOutOfRange(t *testing.T) {
	for name, op := range map[string]func(x, class, table *G.Node) (*G.Node, error){
		"Gather":    func(x, class, _ *G.Node) (*G.Node, error) { return graph.Gather(x, class) },
		"ClassMask": func(x, class, table *G.Node) (*G.Node, error) { return graph.ClassMask(x, class, table) },
		"ClassClip": func(x, class, table *G.Node) (*G.Node, error) { return graph.ClassClip(x, class, table) },
		"RoutedLinear": func(x, class, table *G.Node) (*G.Node, error) {
			row := must2(t)(graph.Reshape(must2(t)(graph.Channels(table, 0, 1))))
			return graph.RoutedLinear(x, class, graph.RoutedHead{Weight: table, Bias: row, Contribution: table,
				Threshold: row})
		},
	} {
		for _, gradient := range []bool{false, true} {
			for _, class := range []int{-1, 4} {
				x, table := graphtest.Variable(graphtest.Normal(newRand(1), 2, 4)),
					graphtest.Constant(graphtest.Normal(newRand(2), 4, 4))
				s := graphtest.NewSession(t, tensor.Float64, x, graphtest.ClassInput(1, 2), table)
				n := must2(t)(op(s.In[0], s.In[1], s.In[2]))
				if gradient {
					c := s.Add(graphtest.Constant(graphtest.Normal(newRand(3), n.Shape()...)), "cotangent")
					n = gradientOf(t, n, c, s.In[0])
				}
				s.CompileFor(n)
				good := s.Run()
				_, err := s.TryRun(x, graphtest.ClassInput(3, class), table)
				require.ErrorContains(t, err,
					"sample 1 of the batch: expected a class from 0 to 3, got "+fmt.Sprint(class), name)
				require.NotContains(t, err.Error(), "panic", name)
				graphtest.RequireSameBits(t, good, s.Run(x, graphtest.ClassInput(1, 2), table), name)
			}
		}
	}
}
