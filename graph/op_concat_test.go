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

func concatTest(r uint64, batch int, rest []int, channels ...int) graphtest.Op {
	var in []graphtest.Input
	for i, c := range channels {
		in = append(in,
			graphtest.Variable(graphtest.Normal(newRand(r+uint64(i)), append([]int{batch, c}, rest...)...)).Batched())
	}
	return graphtest.Op{
		In:    in,
		Build: func(in G.Nodes) (*G.Node, error) { return graph.Concat(in...) },
		Want: func(in []graphtest.Input) graphtest.Array {
			var xs []graphtest.Array
			for _, x := range in {
				xs = append(xs, x.Array)
			}
			return concatRef(xs...)
		},
	}
}

func TestConcat(t *testing.T) {
	for name, o := range map[string]graphtest.Op{
		"one":                  concatTest(1, 2, []int{3, 2}, 4),
		"matrices":             concatTest(2, 3, nil, 4, 1, 2),
		"beyond 256 channels":  concatTest(3, 2, nil, 200, 100, 90),
		"256 channels and 256": concatTest(4, 1, []int{1, 2}, 256, 256),
	} {
		t.Run(name, func(t *testing.T) { o.Check(t, 1) })
	}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		concatTest(seed, rapid.IntRange(1, 3).Draw(rt, "batch"), rapid.SliceOfN(rapid.IntRange(1, 4), 0, 2).Draw(rt,
			"rest"),
			rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "channels")...).Check(rt, seed)
	})
}

// TestConcatTwice joins a node to itself. Its gradient is the sum of both parts.
func TestConcatTwice(t *testing.T) {
	graphtest.Op{
		In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(1), 2, 3, 2)).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) { return graph.Concat(in[0], in[0]) },
		Want:  func(in []graphtest.Input) graphtest.Array { return concatRef(in[0].Array, in[0].Array) },
	}.Check(t, 1)
}

// TestConcatKeepsItsInputs changes the slice of nodes after Concat was called with it.
func TestConcatKeepsItsInputs(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.Normal(newRand(1), 1, 2)),
		graphtest.Variable(graphtest.Normal(newRand(2), 1, 2)))
	xs := []*G.Node{s.In[0], s.In[1]}
	y := must2(t)(graph.Concat(xs...))
	xs[0] = s.In[1]
	gs, err := graph.Gradients(G.Nodes{y},
		G.Nodes{s.Add(graphtest.Constant(graphtest.NewArray([]int{1, 4}, []float64{1, 2, 3, 4})), "c")}, s.In)
	require.NoError(t, err)
	s.Read(gs...)
	require.Equal(t, [][]float64{{1, 2}, {3, 4}}, s.Run())
}

func TestChannels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		channels := rapid.IntRange(1, 6).Draw(rt, "channels")
		from := rapid.IntRange(0, channels-1).Draw(rt, "from")
		to := rapid.IntRange(from+1, channels).Draw(rt, "to")
		shape := append([]int{rapid.IntRange(1, 3).Draw(rt, "batch"), channels}, rapid.SliceOfN(rapid.IntRange(1, 4), 0,
			2).Draw(rt, "rest")...)
		channelsTest(shape, from, to).Check(rt, 1)
	})
	channelsTest([]int{2, 600, 1, 2}, 256, 512).Check(t, 1)
}

func channelsTest(shape []int, from, to int) graphtest.Op {
	return graphtest.Op{
		In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(7), shape...)).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) { return graph.Channels(in[0], from, to) },
		Want: func(in []graphtest.Input) graphtest.Array {
			out := append([]int{}, shape...)
			out[1] = to - from
			return graphtest.Map(out, func(i []int) float64 {
				j := append([]int{}, i...)
				j[1] += from
				return in[0].At(j...)
			})
		},
	}
}

// joiner is a DenseBlock, or Concat in the place of one.
type joiner interface {
	Node() *G.Node
	Append(x *G.Node) error
}

type copying struct{ node *G.Node }

func (c *copying) Node() *G.Node { return c.node }

func (c *copying) Append(x *G.Node) (err error) {
	c.node, err = graph.Concat(c.node, x)
	return err
}

// denseNet is a small dense block of convolutions, with every kind of reader that a block may have: layers that read
// earlier states of it, its members, pools, the block itself as a member, and stock operations. It returns nodes to
// compare and inputs to differentiate by.
func denseNet(t tester, s *graphtest.Session, start func(x *G.Node, channels int) joiner) (values, wrt G.Nodes) {
	m := must2(t)
	x, w1, w2, w3 := s.In[0], s.In[1], s.In[2], s.In[3]
	pad := graph.ConvConfig{Padding: [2]int{1, 1}}
	first := m(graph.Conv2D(x, w1, nil, pad))
	b := start(first, 20)
	state0 := b.Node()
	second := m(graph.Conv2D(m(graph.ReLU(b.Node())), w2, nil, pad))
	require.NoError(t, b.Append(second))
	state1 := b.Node()
	third := m(graph.MaxPool2D(b.Node(), graph.PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1},
		Padding: [2]int{1, 1}}))
	require.NoError(t, b.Append(third))
	require.NoError(t, b.Append(m(graph.Conv2D(b.Node(), w3, nil, pad))))
	require.NoError(t, b.Append(second)) // a second time: it lies in the block already
	require.NoError(t, b.Append(x))      // an input: it lies in other memory
	last := b.Node()
	tanh := G.Must(G.Tanh(state1)) // a stock operation that reads a view
	joined := m(graph.Concat(m(graph.Copy(state0)), first, second, third, tanh, last))
	return G.Nodes{joined, m(graph.GlobalAvgPool2D(state1)), m(graph.Flatten(second)), m(graph.Mul(last, last))},
		G.Nodes{x, w1, w2, w3, second, state1}
}

// TestDenseBlockEqualsConcat compares values and gradients of the same network with blocks and with Concat, bit by bit.
func TestDenseBlockEqualsConcat(t *testing.T) {
	for _, dtype := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		for _, batch := range []int{1, 3} {
			t.Run(fmt.Sprint(dtype, " batch ", batch), func(t *testing.T) {
				results := map[bool][][]float64{}
				for _, inPlace := range []bool{true, false} {
					r := newRand(1)
					in := []graphtest.Input{graphtest.Variable(graphtest.Normal(r, batch, 2, 4, 3)).Batched(),
						graphtest.Variable(graphtest.Normal(r, 3, 2, 3, 3)),
						graphtest.Variable(graphtest.Normal(r, 2, 3, 3, 3)),
						graphtest.Variable(graphtest.Normal(r, 1, 10, 3, 3))}
					s := graphtest.NewSession(t, dtype, in...)
					values, wrt := denseNet(t, s, func(x *G.Node, channels int) joiner {
						if !inPlace {
							return &copying{x}
						}
						b, err := graph.NewDenseBlock(x, channels)
						require.NoError(t, err)
						return b
					})
					var seeds G.Nodes
					for i, v := range values {
						seeds = append(seeds,
							s.Add(graphtest.Constant(graphtest.Normal(newRand(uint64(i)), v.Shape()...)),
								fmt.Sprint("seed", i)))
					}
					gs, err := graph.Gradients(values, seeds, wrt)
					require.NoError(t, err)
					s.Read(values...)
					s.Read(gs...)
					got := s.Run()
					graphtest.RequireSameBits(t, got, s.Run(), "second run")
					other := make([]graphtest.Input, len(in))
					for i, x := range in {
						other[i] = x.Reversed()
					}
					results[inPlace] = append(got, s.Run(other...)...)
					graphtest.RequireSameBits(t, got, s.Run(in...), "back to the first inputs")
				}
				graphtest.RequireSameBits(t, results[false], results[true], "DenseBlock")
			})
		}
	}
}

func TestDenseBlockErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	x := add("x", 2, 3, 4, 4)
	for name, c := range map[string]struct {
		x        *G.Node
		channels int
		want     string
	}{
		"nil":            {nil, 8, "DenseBlock: input 0: expected a node, got nil"},
		"not four axes":  {add("flat", 2, 3), 8, "expected 4 axes"},
		"too small":      {x, 2, "expected at most 2 channels, got 3"},
		"negative":       {x, -1, "expected at most -1 channels, got 3"},
		"absurdly large": {x, math.MaxInt>>3 + 1, "too many elements"},
		"not of a number": {G.NewTensor(s.Graph, tensor.Int, 4, G.WithShape(1, 1, 1, 1), G.WithName("ints")), 8,
			"expected element type float32 or float64, got int"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := graph.NewDenseBlock(c.x, c.channels)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, b)
		})
	}
	b, err := graph.NewDenseBlock(x, 5)
	require.NoError(t, err)
	before := b.Node()
	require.ErrorContains(t, b.Append(nil), "input 1: expected a node, got nil")
	require.ErrorContains(t, b.Append(add("small", 2, 1, 3, 4)), "does not fit")
	require.ErrorContains(t, b.Append(x), "expected at most 5 channels, got 6")
	require.ErrorContains(t,
		b.Append(graphtest.NewSession(t, tensor.Float32).Add(graphtest.Constant(graphtest.Zeros(2, 1, 4, 4)), "x32")),
		"is of float32")
	require.ErrorContains(t,
		b.Append(graphtest.NewSession(t, tensor.Float64).Add(graphtest.Constant(graphtest.Zeros(2, 1, 4, 4)), "far")),
		"far is not in the graph")
	require.Same(t, before, b.Node())
}
