package graph_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// TestMixingWithStockOperations puts Gorgonia's stock operations before, between and behind those of this package.
// Several stock operations overwrite an input that they are the last to read, so a second run starts from the values
// that they left there.
func TestMixingWithStockOperations(t *testing.T) {
	m := must2(t)
	relu := func(a graphtest.Array) graphtest.Array {
		return graphtest.Map(a.Shape, func(i []int) float64 { return reluRef(a.At(i...)) })
	}
	tanh := func(a graphtest.Array) graphtest.Array {
		return graphtest.Map(a.Shape, func(i []int) float64 { return math.Tanh(a.At(i...)) })
	}
	r := newRand(11)
	x, w := graphtest.Variable(graphtest.Spread(r, 2, 3, 4, 4)), graphtest.Variable(graphtest.Normal(r, 4, 3, 3, 3))
	square := graphtest.Variable(graphtest.Spread(r, 3, 3))
	conv := func(in []graphtest.Input) graphtest.Array {
		return convRef(in[0].Array, in[1].Array, nil, graph.ConvConfig{})
	}
	convNode := func(in G.Nodes) *G.Node { return m(graph.Conv2D(in[0], in[1], nil, graph.ConvConfig{})) }
	for name, o := range map[string]graphtest.Op{
		"tanh behind": {
			In:    []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) { return G.Tanh(convNode(in)) },
			Want:  func(in []graphtest.Input) graphtest.Array { return tanh(conv(in)) },
		},
		"tanh before": {
			In:    []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) { return convNode(G.Nodes{G.Must(G.Tanh(in[0])), in[1]}), nil },
			Want: func(in []graphtest.Input) graphtest.Array {
				return convRef(tanh(in[0].Array), in[1].Array, nil, graph.ConvConfig{})
			},
		},
		"product of both sides": {
			In: []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) {
				y := convNode(in)
				return graph.ReLU(G.Must(G.HadamardProd(y, G.Must(G.Tanh(y)))))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := conv(in)
				return graphtest.Map(y.Shape, func(i []int) float64 {
					return reluRef(y.At(i...) * math.Tanh(y.At(i...)))
				})
			},
		},
		"sum of reshaped": {
			In: []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) {
				flat := m(graph.Reshape(convNode(in), 4, 4)) // [2, 4, 4]: the positions are the last axis
				sums, err := G.Sum(m(graph.Copy(flat)), 2)
				if err != nil {
					return nil, err
				}
				return graph.ReLU(sums)
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := conv(in)
				return relu(graphtest.Map([]int{2, 4}, func(i []int) float64 {
					sum := 0.0
					graphtest.Each(y.Shape[2:], func(j []int) { sum += y.At(i[0], i[1], j[0], j[1]) })
					return sum
				}))
			},
		},
		"reshaped": { // the stock Reshape shares the memory of its input
			In: []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) {
				return graph.ReLU(G.Must(G.Reshape(convNode(in), tensor.Shape{8, 4})))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				return relu(graphtest.NewArray([]int{8, 4}, conv(in).Data))
			},
		},
		"reshaped to one axis": {
			In: []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) {
				return graph.Mul(G.Must(G.Reshape(convNode(in), tensor.Shape{32})),
					G.Must(G.Reshape(convNode(in), tensor.Shape{32})))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := conv(in)
				return graphtest.Map([]int{32}, func(i []int) float64 { return y.Data[i[0]] * y.Data[i[0]] })
			},
		},
		"transposed": {
			In: []graphtest.Input{square},
			Build: func(in G.Nodes) (*G.Node, error) {
				return graph.ReLU(G.Must(G.Transpose(m(graph.Copy(in[0])), 1, 0)))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				return relu(graphtest.Map([]int{3, 3}, func(i []int) float64 { return in[0].At(i[1], i[0]) }))
			},
		},
		"matrix product": {
			In: []graphtest.Input{square},
			Build: func(in G.Nodes) (*G.Node, error) {
				y := m(graph.ReLU(in[0]))
				return graph.Softmax(G.Must(G.Mul(y, m(graph.Copy(y)))))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := relu(in[0].Array)
				return softmaxRef(graphtest.Map([]int{3, 3}, func(i []int) float64 {
					sum := 0.0
					for k := range 3 {
						sum += y.At(i[0], k) * y.At(k, i[1])
					}
					return sum
				}))
			},
		},
		"slice of ours": {
			In: []graphtest.Input{square},
			Build: func(in G.Nodes) (*G.Node, error) {
				return graph.ReLU(G.Must(G.Slice(m(graph.Add(in[0], in[0])), G.S(0, 2))))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				return relu(graphtest.Map([]int{2, 3}, func(i []int) float64 { return 2 * in[0].At(i...) }))
			},
		},
		"total": {
			In: []graphtest.Input{square},
			Build: func(in G.Nodes) (*G.Node, error) {
				return G.Sum(G.Must(G.HadamardProd(m(graph.ReLU(in[0])), in[0])))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := relu(in[0].Array)
				return graphtest.NewArray([]int{}, []float64{dot(y.Data, in[0].Data)})
			},
		},
		"constant": {
			In: []graphtest.Input{square},
			Build: func(in G.Nodes) (*G.Node, error) {
				half := any(0.5)
				if in[0].Dtype() == tensor.Float32 {
					half = float32(0.5)
				}
				return graph.ReLU(G.Must(G.HadamardProd(m(graph.Copy(in[0])), G.NewConstant(half))))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				return relu(graphtest.Map([]int{3, 3}, func(i []int) float64 { return 0.5 * in[0].At(i...) }))
			},
		},
		"ours and stock to one sum": {
			In: []graphtest.Input{x, w},
			Build: func(in G.Nodes) (*G.Node, error) {
				y := convNode(in)
				return G.Add(m(graph.ReLU(y)), G.Must(G.Square(y)))
			},
			Want: func(in []graphtest.Input) graphtest.Array {
				y := conv(in)
				return graphtest.Map(y.Shape, func(i []int) float64 {
					return reluRef(y.At(i...)) + y.At(i...)*y.At(i...)
				})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o.Tolerance32 = 1e-4
			o.Check(t, 1)
		})
	}
}

// TestStockBackpropagation lets Gorgonia differentiate operations of this package, as its own Grad does.
func TestStockBackpropagation(t *testing.T) {
	r := newRand(2)
	x, w, b := graphtest.Variable(graphtest.Spread(r, 2, 2, 4, 4)), graphtest.Variable(graphtest.Normal(r, 3, 2, 3, 3)),
		graphtest.Variable(graphtest.Normal(r, 3))
	o := graphtest.Op{
		In: []graphtest.Input{x, w, b},
		Want: func(in []graphtest.Input) graphtest.Array {
			y := convRef(in[0].Array, in[1].Array, in[2].Data, graph.ConvConfig{})
			return graphtest.NewArray([]int{}, []float64{dot(lseRef(graphtest.NewArray([]int{2, 12}, y.Data)).Data,
				[]float64{1, 1})})
		},
	}
	s := graphtest.NewSession(t, tensor.Float64, o.In...)
	y := must2(t)(graph.LogSumExp(must2(t)(graph.Flatten(must2(t)(graph.Conv2D(s.In[0], s.In[1], s.In[2],
		graph.ConvConfig{}))))))
	gs, err := G.Grad(G.Must(G.Sum(y)), s.In...)
	require.NoError(t, err)
	s.Read(gs...)
	got := s.Run()
	o.CheckGradients(t, graphtest.NewArray([]int{}, []float64{1}), got, newRand(1))
	graphtest.RequireSameBits(t, got, s.Run(), "second run")
}

// TestStockReadersOfADenseBlock: stock operations of every kind, which cannot read views of a block, get copies of
// them.
func TestStockReadersOfADenseBlock(t *testing.T) {
	for name, stock := range map[string]func(n *G.Node) (*G.Node, error){
		"Tanh":    func(n *G.Node) (*G.Node, error) { return G.Tanh(n) },
		"Sum":     func(n *G.Node) (*G.Node, error) { return G.Sum(n) },
		"Reshape": func(n *G.Node) (*G.Node, error) { return G.Reshape(n, tensor.Shape{1, n.Shape().TotalSize()}) },
		"Square":  func(n *G.Node) (*G.Node, error) { return G.Square(n) },
		"Slice":   func(n *G.Node) (*G.Node, error) { return G.Slice(n, nil, G.S(1, 3)) },
		"product": func(n *G.Node) (*G.Node, error) { return G.HadamardProd(n, n) },
	} {
		results := map[bool][][]float64{}
		for _, inPlace := range []bool{true, false} {
			s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.Normal(newRand(1), 2, 2, 3, 3)),
				graphtest.Variable(graphtest.Normal(newRand(2), 1, 2, 1, 1)))
			y := must2(t)(graph.Conv2D(s.In[0], s.In[1], nil, graph.ConvConfig{}))
			var b joiner = &copying{must2(t)(graph.Copy(s.In[0]))}
			if inPlace {
				block, err := graph.NewDenseBlock(s.In[0], 4)
				require.NoError(t, err)
				b = block
			}
			require.NoError(t, b.Append(y))
			for _, n := range []*G.Node{b.Node(), y} {
				if name == "Slice" && n == y {
					continue
				}
				out, err := stock(n)
				require.NoError(t, err, name)
				s.Read(out)
			}
			s.Read(must2(t)(graph.ReLU(b.Node())))
			results[inPlace] = append(s.Run(), s.Run()...)
		}
		graphtest.RequireSameBits(t, results[false], results[true], name)
	}
}

// TestViewsAsInputs: an input tensor that is a view of another tensor is read by its shape and strides, not in the
// order of its memory.
func TestViewsAsInputs(t *testing.T) {
	base := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(3, 4), tensor.WithBacking([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}))
	}
	sliced := func(s ...tensor.Slice) *tensor.Dense {
		v, err := base().Slice(s...)
		require.NoError(t, err)
		return v.(*tensor.Dense)
	}
	transposed := base()
	require.NoError(t, transposed.T())
	for name, c := range map[string]struct {
		view *tensor.Dense
		want []float64
	}{
		"rows":       {sliced(tensor.S(1, 3)), []float64{4, 5, 6, 7, 8, 9, 10, 11}},
		"columns":    {sliced(nil, tensor.S(1, 3)), []float64{1, 2, 5, 6, 9, 10}},
		"both":       {sliced(tensor.S(0, 2), tensor.S(2, 4)), []float64{2, 3, 6, 7}},
		"transposed": {transposed, []float64{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
	} {
		g := G.NewGraph()
		x := G.NewMatrix(g, tensor.Float64, G.WithShape(c.view.Shape()...), G.WithName("x"), G.WithValue(c.view))
		var y, z G.Value
		G.Read(must2(t)(graph.ReLU(x)), &y)
		G.Read(must2(t)(graph.Reshape(x, 1, c.view.Shape()[1])), &z)
		require.NoError(t, G.NewTapeMachine(g).RunAll())
		require.Equal(t, c.want, y.Data(), name)
		require.Equal(t, c.want, z.Data(), name)
	}
}
