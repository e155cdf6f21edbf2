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

var softmaxOps = map[string]struct {
	op   func(x *G.Node) (*G.Node, error)
	want func(x graphtest.Array) graphtest.Array
}{
	"Softmax":    {graph.Softmax, softmaxRef},
	"LogSoftmax": {graph.LogSoftmax, logSoftmaxRef},
	"LogSumExp":  {graph.LogSumExp, lseRef},
}

func TestSoftmax(t *testing.T) {
	for name, c := range softmaxOps {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				draw := func(name string, hi int) int { return rapid.IntRange(1, hi).Draw(rt, name) }
				x := graphtest.Normal(newRand(rapid.Uint64().Draw(rt, "seed")), draw("batch", 4), draw("classes", 7))
				scale := float64(draw("scale", 30))
				for i := range x.Data {
					x.Data[i] *= scale
				}
				graphtest.Op{
					In:      []graphtest.Input{graphtest.Variable(x).Batched()},
					Build:   func(in G.Nodes) (*G.Node, error) { return c.op(in[0]) },
					Want:    func(in []graphtest.Input) graphtest.Array { return c.want(in[0].Array) },
					Cancels: true,
				}.Check(rt, 1)
			})
		})
	}
}

// TestSoftmaxExtremes has logits whose exponentials overflow or vanish, classes ruled out by -Inf, and rows without any
// class left.
func TestSoftmaxExtremes(t *testing.T) {
	x := graphtest.NewArray([]int{5, 3}, []float64{
		1e4, 1e4, -1e4,
		-1e4, -1e4, -1e4,
		0, -inf, 0,
		-inf, -inf, -inf,
		nan, 0, 0,
	})
	ln2, ln3 := math.Ln2, math.Log(3)
	third := 1.0 / 3
	edge(t, graph.LogSumExp, x, []float64{1e4 + ln2, -1e4 + ln3, ln2, -inf, nan},
		[]float64{.5, .5, 0, 2 * third, 2 * third, 2 * third, 1.5, 0, 1.5, nan, nan, nan, nan, nan, nan})
	x.Shape, x.Data = []int{3, 3}, x.Data[:9]
	edge(t, graph.Softmax, x, []float64{.5, .5, 0, third, third, third, .5, 0, .5},
		[]float64{ // p_j (dy_j - Σ dy p)
			.5 * (1 - 1.5), .5 * (2 - 1.5), 0,
			third * (4 - 5), 0, third * (6 - 5),
			.5 * (7 - 8), 0, .5 * (9 - 8),
		})
	edge(t, graph.LogSoftmax, x, []float64{-ln2, -ln2, -2e4 - ln2, -ln3, -ln3, -ln3, -ln2, -inf, -ln2},
		[]float64{1 - 3, 2 - 3, 3, 4 - 5, 0, 6 - 5, 7 - 12, 8, 9 - 12})
}

// TestLogSumExpShift: adding a constant to all logits adds it to the result and does not change the gradient.
func TestLogSumExpShift(t *testing.T) {
	x := graphtest.Normal(newRand(1), 3, 5)
	shifted := graphtest.Map(x.Shape, func(i []int) float64 { return x.At(i...) + 1000 })
	run := func(x graphtest.Array) [][]float64 {
		o := graphtest.Op{In: []graphtest.Input{graphtest.Variable(x)},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.LogSumExp(in[0]) },
			Want:  func(in []graphtest.Input) graphtest.Array { return lseRef(in[0].Array) }}
		return o.Evaluate(t, tensor.Float64, graphtest.NewArray([]int{3}, []float64{1, 1, 1}))
	}
	a, b := run(x), run(shifted)
	for i := range a[0] {
		require.InDelta(t, a[0][i]+1000, b[0][i], 1e-9)
	}
	graphtest.RequireClose(t, a[1], b[1], 1e-9, "gradient")
}
