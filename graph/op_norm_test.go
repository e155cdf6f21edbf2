package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// normRef standardises each row of size elements of x, about its mean or about zero, and leaves it unscaled.
func normRef(x []float64, size int, eps float64, centre bool) []float64 {
	out := make([]float64, len(x))
	for at := 0; at < len(x); at += size {
		row := x[at:][:size]
		mean, square := 0.0, 0.0
		if centre {
			for _, v := range row {
				mean += v / float64(size)
			}
		}
		for _, v := range row {
			square += (v - mean) * (v - mean) / float64(size)
		}
		for i, v := range row {
			out[at+i] = (v - mean) / math.Sqrt(square+eps)
		}
	}
	return out
}

func TestLayerNorm(t *testing.T) {
	const eps = 1e-5
	for i, c := range []struct {
		shape       []int
		axis        int
		scale, bias bool
	}{
		{[]int{3, 5}, 1, true, true},
		{[]int{2, 3, 37}, -1, true, true},
		{[]int{2, 3, 4, 5}, 2, true, false},
		{[]int{2, 3, 4, 5}, 1, false, true},
		{[]int{2, 3, 4}, 0, true, true},
		{[]int{6}, 0, false, false},
		{[]int{2, 3, 1}, 2, true, true},
	} {
		for _, centre := range []bool{true, false} {
			t.Run(fmt.Sprint(c, centre), func(t *testing.T) {
				r := newRand(uint64(i))
				first := (c.axis + len(c.shape)) % len(c.shape)
				rest := c.shape[first:]
				x := graphtest.Variable(graphtest.Normal(r, c.shape...))
				if first > 0 {
					x = x.Batched()
				}
				in := []graphtest.Input{x}
				if c.scale {
					in = append(in, graphtest.Variable(graphtest.Normal(r, rest...)))
				}
				withBias := c.bias && centre
				if withBias {
					in = append(in, graphtest.Variable(graphtest.Normal(r, rest...)))
				}
				graphtest.Op{
					In: in,
					Build: func(in G.Nodes) (*G.Node, error) {
						var scale, bias *G.Node
						if c.scale {
							scale = in[1]
						}
						if withBias {
							bias = in[len(in)-1]
						}
						if !centre {
							return graph.RMSNorm(in[0], scale, c.axis, eps)
						}
						return graph.LayerNorm(in[0], scale, bias, c.axis, eps)
					},
					Want: func(in []graphtest.Input) graphtest.Array {
						n := size(rest...)
						y := normRef(in[0].Data, n, eps, centre)
						for i := range y {
							if c.scale {
								y[i] *= in[1].Data[i%n]
							}
							if withBias {
								y[i] += in[len(in)-1].Data[i%n]
							}
						}
						return graphtest.NewArray(c.shape, y)
					},
					Tolerance32: 1e-4, Cancels: true,
				}.Check(t, uint64(i))
			})
		}
	}
}

func TestGroupNorm(t *testing.T) {
	const eps = 1e-3
	for i, c := range []struct {
		shape       []int
		groups      int
		scale, bias bool
	}{
		{[]int{2, 6, 3, 4}, 3, true, true},
		{[]int{2, 6, 5, 5}, 6, true, true},
		{[]int{3, 4, 5}, 1, true, false},
		{[]int{2, 4, 2, 2, 3}, 2, false, true},
		{[]int{2, 8}, 2, true, true},
		{[]int{2, 2, 9, 9}, 1, false, false},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			r := newRand(uint64(i))
			channels, hw := c.shape[1], size(c.shape[2:]...)
			in := []graphtest.Input{graphtest.Variable(graphtest.Normal(r, c.shape...)).Batched()}
			if c.scale {
				in = append(in, graphtest.Variable(graphtest.Normal(r, channels)))
			}
			if c.bias {
				in = append(in, graphtest.Variable(graphtest.Normal(r, channels)))
			}
			graphtest.Op{
				In: in,
				Build: func(in G.Nodes) (*G.Node, error) {
					var scale, bias *G.Node
					if c.scale {
						scale = in[1]
					}
					if c.bias {
						bias = in[len(in)-1]
					}
					return graph.GroupNorm(in[0], c.groups, scale, bias, eps)
				},
				Want: func(in []graphtest.Input) graphtest.Array {
					y := normRef(in[0].Data, channels/c.groups*hw, eps, true)
					for i := range y {
						if c.scale {
							y[i] *= in[1].Data[i/hw%channels]
						}
						if c.bias {
							y[i] += in[len(in)-1].Data[i/hw%channels]
						}
					}
					return graphtest.NewArray(c.shape, y)
				},
				Tolerance32: 1e-4, Cancels: true,
			}.Check(t, uint64(i))
		})
	}
}

// TestNormFarFromZero: elements that hardly differ, far from zero, keep their differences.
func TestNormFarFromZero(t *testing.T) {
	x := graphtest.Zeros(2, 64)
	for i := range x.Data {
		x.Data[i] = 4096 + float64(i%7)
	}
	for name, build := range map[string]func(x *G.Node) (*G.Node, error){
		"layer": func(x *G.Node) (*G.Node, error) { return graph.LayerNorm(x, nil, nil, -1, 1e-5) },
		"group": func(x *G.Node) (*G.Node, error) { return graph.GroupNorm(x, 1, nil, nil, 1e-5) },
	} {
		s := graphtest.NewSession(t, tensor.Float32, graphtest.Constant(x))
		y, err := build(s.In[0])
		require.NoError(t, err)
		s.Read(y)
		graphtest.RequireClose(t, normRef(x.Data, 64, 1e-5, true), s.Run()[0], 1e-6, name)
	}
}

// TestNormOfPlanes standardises channels that lie inside a dense block's buffer.
func TestNormOfPlanes(t *testing.T) {
	graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(1), 2, 3, 4, 5)).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) {
			block, err := graph.NewDenseBlock(in[0], 9)
			if err != nil {
				return nil, err
			}
			y, err := graph.GroupNorm(block.Node(), 3, nil, nil, 1e-5)
			if err != nil {
				return nil, err
			}
			z, err := graph.LayerNorm(block.Node(), nil, nil, 3, 1e-5)
			if err != nil {
				return nil, err
			}
			return graph.Add(y, z)
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			y, z := normRef(in[0].Data, 20, 1e-5, true), normRef(in[0].Data, 5, 1e-5, true)
			for i, v := range z {
				y[i] += v
			}
			return graphtest.NewArray(slices.Clone(in[0].Shape), y)
		},
		Tolerance32: 1e-4,
	}.Check(t, 1)
}

func TestNormErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	add := func(name string, shape ...int) *G.Node {
		return s.Add(graphtest.Constant(graphtest.Zeros(shape...)), name)
	}
	x, v := add("x", 2, 6, 3), add("v", 5)
	for want, op := range map[string]func() (*G.Node, error){
		"LayerNorm: input 0: expected a node, got nil": func() (*G.Node, error) {
			return graph.LayerNorm(nil, nil, nil, 0, 0)
		},
		"LayerNorm: expected one of 3 axes, got axis 3": func() (*G.Node, error) {
			return graph.LayerNorm(x, nil, nil, 3, 0)
		},
		"LayerNorm: expected one of 3 axes, got axis -4": func() (*G.Node, error) {
			return graph.LayerNorm(x, nil, nil, -4, 0)
		},
		"LayerNorm: scale (v): expected shape (3), got (5)": func() (*G.Node, error) {
			return graph.LayerNorm(x, v, nil, 2, 0)
		},
		"LayerNorm: bias (v): expected shape (6, 3), got (5)": func() (*G.Node, error) {
			return graph.LayerNorm(x, nil, v, 1, 0)
		},
		"LayerNorm: expected eps of at least 0, got -1": func() (*G.Node, error) {
			return graph.LayerNorm(x, nil, nil, 1, -1)
		},
		"RMSNorm: scale (v): expected shape (3), got (5)": func() (*G.Node, error) {
			return graph.RMSNorm(x, v, -1, 0)
		},
		"GroupNorm: input 0: expected a node, got nil": func() (*G.Node, error) {
			return graph.GroupNorm(nil, 1, nil, nil, 0)
		},
		"expected a number of groups that divides the 6 channels of x (2, 6, 3), got 4": func() (*G.Node, error) {
			return graph.GroupNorm(x, 4, nil, nil, 0)
		},
		"expected a number of groups that divides the 6 channels of x (2, 6, 3), got 0": func() (*G.Node, error) {
			return graph.GroupNorm(x, 0, nil, nil, 0)
		},
		"GroupNorm: bias (v): expected shape (6), got (5)": func() (*G.Node, error) {
			return graph.GroupNorm(x, 3, nil, v, 0)
		},
		"(v): expected at least 2 axes, got shape (5)": func() (*G.Node, error) {
			return graph.GroupNorm(v, 1, nil, nil, 0)
		},
		"LocalResponseNorm: input 0: expected a node, got nil": func() (*G.Node, error) {
			return graph.LocalResponseNorm(nil, graph.LRNConfig{})
		},
		"LocalResponseNorm: expected size of at least 1, got 0": func() (*G.Node, error) {
			return graph.LocalResponseNorm(x, graph.LRNConfig{})
		},
	} {
		_, err := op()
		require.ErrorContains(t, err, want)
	}
}

func TestLocalResponseNorm(t *testing.T) {
	for i, cfg := range []graph.LRNConfig{
		{Size: 5, Alpha: 1, Beta: 0.75, K: 2},
		{Size: 3, Alpha: 0.5, Beta: 0.5, K: 1},
		{Size: 2, Alpha: 2, Beta: 1, K: 1.5},
		{Size: 9, Alpha: 0.1, Beta: 1.3, K: 1},
		{Size: 1, Alpha: 1, Beta: 0.75, K: 1},
	} {
		for _, shape := range [][]int{{2, 7, 3, 4}, {1, 4}, {3, 2, 5}} {
			graphtest.Op{
				In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(uint64(i)), shape...)).Batched()},
				Build: func(in G.Nodes) (*G.Node, error) { return graph.LocalResponseNorm(in[0], cfg) },
				Want: func(in []graphtest.Input) graphtest.Array {
					return graphtest.Map(shape, func(at []int) float64 {
						sum := 0.0
						lo, hi := at[1]-int(math.Floor(float64(cfg.Size-1)/2)),
							at[1]+int(math.Ceil(float64(cfg.Size-1)/2))
						for c := lo; c <= hi; c++ {
							j := slices.Clone(at)
							j[1] = c
							v := in[0].At(j...)
							sum += v * v
						}
						return in[0].At(at...) / math.Pow(cfg.K+cfg.Alpha/float64(cfg.Size)*sum, cfg.Beta)
					})
				},
			}.Check(t, uint64(i))
		}
	}
}
