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

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// anyShape draws a shape of one to four axes, the batch first.
func anyShape(rt *rapid.T) []int {
	return rapid.SliceOfN(rapid.IntRange(1, 5), 1, 4).Draw(rt, "shape")
}

// elementwise tests an operation that computes each element from the inputs' elements at the same place.
func elementwise(op func(in G.Nodes) (*G.Node, error), f func(x []float64) float64,
	in ...graphtest.Input) graphtest.Op {
	return graphtest.Op{In: in, Build: op, Want: func(in []graphtest.Input) graphtest.Array {
		return graphtest.Map(in[0].Shape, func(i []int) float64 {
			var x []float64
			for _, a := range in {
				x = append(x, a.At(i...))
			}
			return f(x)
		})
	}}
}

func TestElementwise(t *testing.T) {
	for name, c := range map[string]struct {
		inputs int
		op     func(in G.Nodes) (*G.Node, error)
		f      func(x []float64) float64
	}{
		"ReLU": {1, func(in G.Nodes) (*G.Node, error) { return graph.ReLU(in[0]) },
			func(x []float64) float64 { return reluRef(x[0]) }},
		"Add": {2, func(in G.Nodes) (*G.Node, error) { return graph.Add(in[0], in[1]) },
			func(x []float64) float64 { return x[0] + x[1] }},
		"Add self": {1, func(in G.Nodes) (*G.Node, error) { return graph.Add(in[0], in[0]) },
			func(x []float64) float64 { return 2 * x[0] }},
		"Mul": {2, func(in G.Nodes) (*G.Node, error) { return graph.Mul(in[0], in[1]) },
			func(x []float64) float64 { return x[0] * x[1] }},
		"Mul self": {1, func(in G.Nodes) (*G.Node, error) { return graph.Mul(in[0], in[0]) },
			func(x []float64) float64 { return x[0] * x[0] }},
		"Copy": {1, func(in G.Nodes) (*G.Node, error) { return graph.Copy(in[0]) },
			func(x []float64) float64 { return x[0] }},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
				var in []graphtest.Input
				for i := range c.inputs {
					in = append(in, graphtest.Variable(graphtest.Spread(newRand(seed+uint64(i)), shape...)).Batched())
				}
				elementwise(c.op, c.f, in...).Check(rt, seed)
			})
		})
	}
}

// TestScalars runs elementwise operations on values that Gorgonia holds as a number, not as a tensor.
func TestScalars(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		s := graphtest.NewSession(t, dtype, graphtest.Variable(graphtest.NewArray([]int{2, 2}, []float64{1, 2, 3, -4})))
		sum := G.Must(G.Sum(s.In[0]))
		relu := must2(t)(graph.ReLU(sum))
		y := must2(t)(graph.Add(must2(t)(graph.Mul(relu, sum)), must2(t)(graph.Copy(sum)))) // s² + s for s = 2
		one := G.NewConstant(1.0)
		if dtype == tensor.Float32 {
			one = G.NewConstant(float32(1))
		}
		gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{one}, G.Nodes{sum, s.In[0]})
		require.NoError(t, err)
		s.Read(y)
		s.Read(gs...)
		for range 2 {
			require.Equal(t, [][]float64{{6}, {5}, {5, 5, 5, 5}}, s.Run())
		}
		require.Equal(t, [][]float64{{20}, {9}, {9, 9, 9, 9}},
			s.Run(graphtest.Variable(graphtest.NewArray([]int{2, 2}, []float64{1, 2, 3, -2}))))
	}
}

func must2(t tester) func(n *G.Node, err error) *G.Node {
	return func(n *G.Node, err error) *G.Node {
		t.Helper()
		return must(t, n, err)
	}
}

// edge checks value and gradient of a single-input operation at given points, with a cotangent of 1, 2, 3, ...
func edge(t *testing.T, op func(x *G.Node) (*G.Node, error), x graphtest.Array, want, gradient []float64) {
	t.Helper()
	for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		s := graphtest.NewSession(t, dtype, graphtest.Variable(x))
		y := must2(t)(op(s.In[0]))
		cotangent := graphtest.Zeros(y.Shape()...)
		for i := range cotangent.Data {
			cotangent.Data[i] = float64(i + 1)
		}
		gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{s.Add(graphtest.Constant(cotangent), "cotangent")},
			G.Nodes{s.In[0]})
		require.NoError(t, err)
		s.Read(y, gs[0])
		for range 2 {
			got := s.Run()
			graphtest.RequireClose(t, want, got[0], 1e-6, "value")
			graphtest.RequireClose(t, gradient, got[1], 1e-6, "gradient")
		}
	}
}

func TestReLUEdges(t *testing.T) {
	edge(t, graph.ReLU, graphtest.NewArray([]int{1, 7}, []float64{0, math.Copysign(0, -1), -1e-30, 1e-30, nan, inf,
		-inf}),
		[]float64{0, 0, 0, 1e-30, nan, inf, 0}, []float64{0, 0, 0, 4, 0, 6, 0})
}

func TestClip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape, seed := anyShape(rt), rapid.Uint64().Draw(rt, "seed")
		perSample := size(shape[1:]...)
		limit := graphtest.NewArray([]int{1}, []float64{0.1234567})
		if rapid.Bool().Draw(rt, "per neuron") {
			limit = graphtest.Spread(newRand(seed+1), perSample)
			for i := range limit.Data {
				limit.Data[i] = float64(float32(limit.Data[i]*0.7 + 0.0011)) // different from the inputs
			}
		}
		x := graphtest.Variable(graphtest.Spread(newRand(seed), shape...)).Batched()
		for i, v := range x.Data {
			if math.Abs(v-limit.Data[i%perSample%len(limit.Data)]) < 1e-3 {
				return
			}
		}
		graphtest.Op{
			In:    []graphtest.Input{x, graphtest.Constant(limit)},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Clip(in[0], in[1]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				out := graphtest.Zeros(shape...)
				for i, v := range in[0].Data {
					out.Data[i] = min(v, in[1].Data[i%perSample%len(limit.Data)])
				}
				return out
			},
		}.Check(rt, seed)
	})
}

// clipAt is Clip with the given limits.
func clipAt(limit ...float64) func(x *G.Node) (*G.Node, error) {
	return func(x *G.Node) (*G.Node, error) {
		v := tensor.New(tensor.WithShape(len(limit)), tensor.WithBacking(limit))
		if x.Dtype() == tensor.Float32 {
			v = tensor.New(tensor.WithShape(len(limit)), tensor.WithBacking(narrow(limit)))
		}
		return graph.Clip(x, G.NewTensor(x.Graph(), x.Dtype(), 1, G.WithShape(len(limit)), G.WithName("limit"),
			G.WithValue(v)))
	}
}

func TestClipEdges(t *testing.T) {
	edge(t, clipAt(1), graphtest.NewArray([]int{2, 3}, []float64{1, 1.5, 0.5, -inf, inf, 1}),
		[]float64{1, 1, 0.5, -inf, 1, 1}, []float64{1, 0, 3, 4, 0, 6})
	edge(t, clipAt(1, 2, inf), graphtest.NewArray([]int{2, 3}, []float64{1, 2, 3, 1.5, 2.5, inf}),
		[]float64{1, 2, 3, 1, 2, inf}, []float64{1, 2, 3, 0, 0, 6})
	edge(t, clipAt(1), graphtest.NewArray([]int{1, 3}, []float64{nan, 3, 0}), []float64{nan, 1, 0}, []float64{0, 0, 3})
	edge(t, clipAt(1, 1, 1), graphtest.NewArray([]int{1, 3}, []float64{nan, 3, 0}), []float64{nan, 1, 0},
		[]float64{0, 0, 3})
}

func TestReshape(t *testing.T) {
	x := graphtest.Variable(graphtest.Normal(newRand(1), 2, 3, 4))
	for name, c := range map[string]struct {
		op   func(x *G.Node) (*G.Node, error)
		want []int
	}{
		"Flatten": {graph.Flatten, []int{2, 12}},
		"Reshape": {func(x *G.Node) (*G.Node, error) { return graph.Reshape(x, 2, 3, 2) }, []int{2, 2, 3, 2}},
		"same":    {func(x *G.Node) (*G.Node, error) { return graph.Reshape(x, 3, 4) }, []int{2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			graphtest.Op{In: []graphtest.Input{x},
				Build: func(in G.Nodes) (*G.Node, error) { return c.op(in[0]) },
				Want:  func(in []graphtest.Input) graphtest.Array { return graphtest.NewArray(c.want, in[0].Data) },
			}.Check(t, 1)
		})
	}
	t.Run("batch axis alone", func(t *testing.T) {
		v := graphtest.Variable(graphtest.Normal(newRand(2), 5))
		graphtest.Op{In: []graphtest.Input{v},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Flatten(in[0]) },
			Want:  func(in []graphtest.Input) graphtest.Array { return graphtest.NewArray([]int{5, 1}, in[0].Data) },
		}.Check(t, 1)
		v.Array.Shape = []int{5, 1}
		graphtest.Op{In: []graphtest.Input{v},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Reshape(in[0]) },
			Want:  func(in []graphtest.Input) graphtest.Array { return graphtest.NewArray([]int{5}, in[0].Data) },
		}.Check(t, 1)
	})
}

func TestAffine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := append([]int{rapid.IntRange(1, 3).Draw(rt, "batch")}, rapid.SliceOfN(rapid.IntRange(1, 5), 1,
			3).Draw(rt, "shape")...)
		seed := rapid.Uint64().Draw(rt, "seed")
		r := newRand(seed)
		graphtest.Op{
			In: []graphtest.Input{graphtest.Variable(graphtest.Normal(r, shape...)).Batched(),
				graphtest.Variable(graphtest.Normal(r, shape[1])), graphtest.Variable(graphtest.Normal(r, shape[1]))},
			Build: func(in G.Nodes) (*G.Node, error) { return graph.Affine(in[0], in[1], in[2]) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return affineRef(in[0].Array, in[1].Data, in[2].Data, false)
			},
		}.Check(rt, seed)
	})
}

func TestElementwiseErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	x, column, vector := add("x", 2, 3), add("column", 3, 1), add("vector", 3)
	class := s.Add(graphtest.ClassInput(0, 1), "class")
	scalar := G.NewScalar(s.Graph, tensor.Float64, G.WithName("scalar"), G.WithValue(1.0))
	x32 := graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(2, 3)), "x32")
	for name, c := range map[string]struct {
		op   func() (*G.Node, error)
		want string
	}{
		"ReLU nil": {func() (*G.Node, error) { return graph.ReLU(nil) },
			"ReLU: expected an input, got nil"},
		"ReLU of classes": {func() (*G.Node, error) { return graph.ReLU(class) },
			"ReLU: expected element type float32 or float64, got int"},
		"Add nil": {func() (*G.Node, error) { return graph.Add(nil, x) },
			"Add: input 0: expected a node, got nil"},
		"Add nil 1": {func() (*G.Node, error) { return graph.Add(x, nil) },
			"Add: input 1: expected a node, got nil"},
		"Add shapes": {func() (*G.Node, error) { return graph.Add(x, column) },
			"Add: shape (3, 1) does not broadcast with (2, 3)"},
		"Add element types": {func() (*G.Node, error) { return graph.Add(x, x32) },
			"input 1 (x32) is of float32, input 0 of float64"},
		"Mul nil": {func() (*G.Node, error) { return graph.Mul(nil, x) },
			"Mul: input 0: expected a node, got nil"},
		"Mul shapes": {func() (*G.Node, error) { return graph.Mul(x, column) },
			"Mul: shape (3, 1) does not broadcast with (2, 3)"},
		"Copy nil": {func() (*G.Node, error) { return graph.Copy(nil) },
			"Copy: expected an input, got nil"},
		"Clip nil": {func() (*G.Node, error) { return graph.Clip(nil, x) },
			"Clip: expected an input, got nil"},
		"Clip nil limit": {func() (*G.Node, error) { return graph.Clip(x, nil) },
			"Clip: limit: expected a node, got nil"},
		"Clip limit": {func() (*G.Node, error) { return graph.Clip(x, add("limit", 2)) },
			"Clip: limit: expected 1 or 3 elements for input (2, 3), got shape (2)"},
		"Clip scalar": {func() (*G.Node, error) { return graph.Clip(scalar, vector) },
			"expected at least 1 axis, the batch first"},
		"Flatten nil": {func() (*G.Node, error) { return graph.Flatten(nil) },
			"Flatten: expected an input, got nil"},
		"Flatten scalar": {func() (*G.Node, error) { return graph.Flatten(scalar) },
			"Flatten: input (scalar): expected at least 1 axis, the batch first, got shape ()"},
		"Reshape nil": {func() (*G.Node, error) { return graph.Reshape(nil, 3) },
			"Reshape: expected an input, got nil"},
		"Reshape elements": {func() (*G.Node, error) { return graph.Reshape(x, 4) },
			"shape (2, 4) has 8 elements, input (x) of shape (2, 3) has 6"},
		"Reshape to nothing": {func() (*G.Node, error) { return graph.Reshape(x) }, "has 2 elements"},
		"Reshape negative":   {func() (*G.Node, error) { return graph.Reshape(x, -1, -3) }, "at least one element"},
		"Reshape overflow": {func() (*G.Node, error) {
			return graph.Reshape(x, math.MaxInt>>31+1, math.MaxInt>>31+1, 3)
		}, "too many elements"},
		"Affine nil": {func() (*G.Node, error) { return graph.Affine(nil, vector, vector) },
			"Affine: expected an input, got nil"},
		"Affine axes": {func() (*G.Node, error) { return graph.Affine(vector, vector, vector) },
			"expected at least 2 axes"},
		"Affine scale": {func() (*G.Node, error) { return graph.Affine(x, column, vector) },
			"scale (column): expected shape (3), got (3, 1)"},
		"Affine shift": {func() (*G.Node, error) { return graph.Affine(x, vector, nil) },
			"shift: expected a node, got nil"},
		"Concat nothing": {func() (*G.Node, error) { return graph.Concat() },
			"Concat: expected at least one input, got none"},
		"Concat nil": {func() (*G.Node, error) { return graph.Concat(x, nil) },
			"Concat: input 1: expected a node, got nil"},
		"Concat batch": {func() (*G.Node, error) { return graph.Concat(x, column) },
			"input 1 has shape (3, 1), which does not fit (2, 3)"},
		"Concat vectors": {func() (*G.Node, error) { return graph.Concat(vector) },
			"expected shape [batch, channels, ...]"},
		"Concat element types": {func() (*G.Node, error) { return graph.Concat(x, x32) },
			"input 1 (x32) is of float32"},
		"Channels nil": {func() (*G.Node, error) { return graph.Channels(nil, 0, 1) },
			"Channels: expected an input, got nil"},
		"Channels of a vector": {func() (*G.Node, error) { return graph.Channels(vector, 0, 1) }, "at least 2 axes"},
		"Channels empty": {func() (*G.Node, error) { return graph.Channels(x, 1, 1) },
			"channels 1 to 1 of input (x) of shape (2, 3)"},
		"Channels out of range":  {func() (*G.Node, error) { return graph.Channels(x, 2, 4) }, "channels 2 to 4"},
		"Channels from negative": {func() (*G.Node, error) { return graph.Channels(x, -1, 2) }, "channels -1 to 2"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := c.op()
			require.ErrorContains(t, err, c.want)
			require.Nil(t, n)
		})
	}
}
