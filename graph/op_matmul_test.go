package graph_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// matmulRef is NumPy's matmul, element by element; the product of two vectors has shape [1].
func matmulRef(a, b graphtest.Array) graphtest.Array {
	left, right := a.Shape, b.Shape
	if len(left) == 1 {
		left = []int{1, left[0]}
	}
	if len(right) == 1 {
		right = []int{right[0], 1}
	}
	x, y := graphtest.NewArray(left, a.Data), graphtest.NewArray(right, b.Data)
	dims := max(len(left), len(right))
	at := func(s []int, axis int) int { // the length of an axis, counted as if both inputs had dims axes
		if axis -= dims - len(s); axis >= 0 {
			return s[axis]
		}
		return 1
	}
	shape := make([]int, dims)
	for i := range dims - 2 {
		shape[i] = max(at(left, i), at(right, i))
	}
	shape[dims-2], shape[dims-1] = left[len(left)-2], right[len(right)-1]
	pick := func(s, i []int) []int { // the element of an input that belongs to index i of the result
		out := slices.Clone(i[dims-len(s):])
		for k := range out {
			if s[k] == 1 {
				out[k] = 0
			}
		}
		return out
	}
	y2 := graphtest.Map(shape, func(i []int) float64 {
		sum := 0.0
		p, q := pick(left, i), pick(right, i)
		p[len(p)-2], q[len(q)-1] = i[dims-2], i[dims-1]
		for k := range left[len(left)-1] {
			p[len(p)-1], q[len(q)-2] = k, k
			sum += x.At(p...) * y.At(q...)
		}
		return sum
	})
	if len(a.Shape) == 1 {
		y2.Shape = slices.Delete(y2.Shape, dims-2, dims-1)
	}
	if len(b.Shape) == 1 {
		y2.Shape = y2.Shape[:len(y2.Shape)-1]
	}
	if len(y2.Shape) == 0 {
		y2.Shape = []int{1}
	}
	return y2
}

func matmulTest(a, b graphtest.Input) graphtest.Op {
	return graphtest.Op{
		In:    []graphtest.Input{a, b},
		Build: func(in G.Nodes) (*G.Node, error) { return graph.MatMul(in[0], in[1]) },
		Want:  func(in []graphtest.Input) graphtest.Array { return matmulRef(in[0].Array, in[1].Array) },
	}
}

func TestMatMul(t *testing.T) {
	for i, c := range []struct{ a, b []int }{
		{[]int{1, 1}, []int{1, 1}},
		{[]int{3, 4}, []int{4, 5}},
		{[]int{7}, []int{7}},
		{[]int{4}, []int{4, 5}},
		{[]int{4}, []int{2, 3, 4, 5}},
		{[]int{2, 3, 4, 5}, []int{5}},
		{[]int{2, 3, 4}, []int{4, 6}},
		{[]int{3, 4}, []int{2, 4, 6}},
		{[]int{2, 1, 3, 4}, []int{1, 5, 4, 2}},
		{[]int{2, 1, 3, 4}, []int{5, 4, 2}},
		{[]int{1, 3, 4}, []int{2, 2, 4, 1}},
		{[]int{2, 7, 19}, []int{2, 19, 33}},
		{[]int{13, 37}, []int{37, 17}},
	} {
		t.Run(fmt.Sprint(c.a, c.b), func(t *testing.T) {
			r := newRand(uint64(i))
			matmulTest(graphtest.Variable(graphtest.Normal(r, c.a...)),
				graphtest.Variable(graphtest.Normal(r, c.b...))).Check(t, uint64(i))
		})
	}
}

func TestMatMulSamples(t *testing.T) {
	r := newRand(1)
	batched := func(shape ...int) graphtest.Input { return graphtest.Variable(graphtest.Normal(r, shape...)).Batched() }
	one := func(shape ...int) graphtest.Input { return graphtest.Variable(graphtest.Normal(r, shape...)) }
	matmulTest(batched(3, 2, 11, 6), batched(3, 2, 6, 11)).Check(t, 1)
	matmulTest(batched(5, 9, 21), one(21, 18)).Check(t, 2)
	matmulTest(batched(9, 21), one(21, 18)).Check(t, 3)
	matmulTest(one(4, 21), batched(3, 21, 5)).Check(t, 4)
}

// TestMatMulOfPlanes multiplies channels that lie inside a dense block's buffer.
func TestMatMulOfPlanes(t *testing.T) {
	r := newRand(1)
	x := graphtest.Variable(graphtest.Normal(r, 2, 3, 4, 5)).Batched()
	graphtest.Op{
		In: []graphtest.Input{x, graphtest.Variable(graphtest.Normal(r, 5, 4))},
		Build: func(in G.Nodes) (*G.Node, error) {
			block, err := graph.NewDenseBlock(in[0], 9)
			if err != nil {
				return nil, err
			}
			p, err := graph.MatMul(block.Node(), in[1])
			if err != nil {
				return nil, err
			}
			return graph.MatMul(p, block.Node())
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			return matmulRef(matmulRef(in[0].Array, in[1].Array), in[0].Array)
		},
	}.Check(t, 1)
}

func TestMatMulErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	a, b := add("a", 2, 3), add("b", 3, 4)
	for name, c := range map[string]struct {
		a, b *G.Node
		want string
	}{
		"nil":       {nil, b, "MatMul: input 0: expected a node, got nil"},
		"nil b":     {a, nil, "MatMul: input 1: expected a node, got nil"},
		"columns":   {a, a, "expected as many columns of the first as rows of the second, got shapes"},
		"broadcast": {add("c", 2, 2, 3), add("d", 3, 3, 4), "axes of 2 and 3 do not broadcast"},
		"ints": {s.Add(graphtest.ClassInput(0, 1), "class"), s.Add(graphtest.ClassInput(0, 1), "class2"),
			"expected element type float32 or float64, got int"},
		"types": {a, s.Add(graphtest.ClassInput(0, 1, 2), "class3"), "input 1 (class3) is of int"},
	} {
		_, err := graph.MatMul(c.a, c.b)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestLinearOfMoreAxes(t *testing.T) {
	for _, lead := range [][]int{{2, 3}, {1, 1, 4}, {2, 1, 3, 2}} {
		r := newRand(1)
		graphtest.Op{
			In: []graphtest.Input{
				graphtest.Variable(graphtest.Normal(r, append(slices.Clone(lead), 7)...)).Batched(),
				graphtest.Variable(graphtest.Normal(r, 5, 7)), graphtest.Variable(graphtest.Normal(r, 5)),
			},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Linear(in[0], in[1], in[2]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				y := linearRef(graphtest.NewArray([]int{size(lead...), 7}, in[0].Data), in[1].Array, in[2].Data)
				return graphtest.NewArray(append(slices.Clone(lead), 5), y.Data)
			},
		}.Check(t, 1)
	}
}
