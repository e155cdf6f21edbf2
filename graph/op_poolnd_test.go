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

func poolNDTest(x graphtest.Array, cfg graph.PoolNDConfig, average bool) graphtest.Op {
	return graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(x).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) {
			if average {
				return graph.AvgPoolND(in[0], cfg)
			}
			return graph.MaxPoolND(in[0], cfg)
		},
		Want: func(in []graphtest.Input) graphtest.Array { return poolNDRef(in[0].Array, cfg, average) },
	}
}

func TestPoolNDAnyGeometry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		average, axes := rapid.Bool().Draw(rt, "average"), draw("axes", 1, 4)
		cfg := graph.PoolNDConfig{CeilMode: rapid.Bool().Draw(rt, "ceil"), CountIncludePad: rapid.Bool().Draw(rt,
			"include pad")}
		shape := []int{draw("batch", 1, 2), draw("channels", 1, 2)}
		for range axes {
			k, d := draw("kernel", 1, 3), draw("dilation", 0, 2)
			span := or1(d)*(k-1) + 1
			begin, end := draw("begin", 0, span-1), draw("end", 0, span-1)
			cfg.Kernel, cfg.Stride, cfg.Dilation = append(cfg.Kernel, k), append(cfg.Stride, draw("stride", 0, 3)),
				append(cfg.Dilation, d)
			cfg.PadBegin, cfg.PadEnd = append(cfg.PadBegin, begin), append(cfg.PadEnd, end)
			shape = append(shape, max(1, span-begin-end)+draw("size", 0, 3))
		}
		seed := rapid.Uint64().Draw(rt, "seed")
		o := poolNDTest(graphtest.Spread(newRand(seed), shape...), cfg, average)
		if slices.Contains(o.Want(o.In).Data, math.Inf(-1)) {
			return // a window without a point inside the input has no central differences
		}
		o.Check(rt, seed)
	})
}

func TestPoolNDDefaults(t *testing.T) {
	for _, average := range []bool{true, false} {
		for _, shape := range [][]int{{2, 3, 7}, {1, 2, 5, 4}, {2, 2, 4, 5, 3}} {
			t.Run(fmt.Sprint(average, shape), func(t *testing.T) {
				kernel := []int{2, 3, 2}[:len(shape)-2]
				poolNDTest(graphtest.Spread(newRand(1), shape...), graph.PoolNDConfig{Kernel: kernel}, average).Check(t,
					1)
			})
		}
	}
}

// TestPoolCeil repeats what ONNX's test cases of these names say about windows at the end.
func TestPoolCeil(t *testing.T) {
	x := graphtest.NewArray([]int{1, 1, 4}, []float64{1, 2, 3, 4})
	for name, c := range map[string]struct {
		cfg     graph.PoolNDConfig
		average bool
		want    []float64
	}{
		"last window starts on pad": {
			graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{3}, PadBegin: []int{1}, PadEnd: []int{1}, CeilMode: true,
				CountIncludePad: true},
			true, []float64{1, 7. / 3},
		},
		"output size reduce by one": {graph.PoolNDConfig{Kernel: []int{1}, Stride: []int{2}, CeilMode: true}, false,
			[]float64{1, 3}},
		"only padding that exists counts": {
			graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{2}, PadEnd: []int{1}, CeilMode: true,
				CountIncludePad: true},
			true, []float64{2, 7. / 3},
		},
		"beyond the padding": {
			graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{2}, PadBegin: []int{1}, CeilMode: true,
				CountIncludePad: true},
			true, []float64{1, 3},
		},
		"same upper": {graph.PoolNDConfig{Kernel: []int{2}, Stride: []int{1}, PadEnd: []int{1}}, true,
			[]float64{1.5, 2.5, 3.5, 4}},
		"same lower": {graph.PoolNDConfig{Kernel: []int{2}, Stride: []int{1}, PadBegin: []int{1}}, true,
			[]float64{1, 1.5, 2.5, 3.5}},
		"dilated": {graph.PoolNDConfig{Kernel: []int{2}, Stride: []int{1}, Dilation: []int{2}}, true, []float64{2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			got := poolNDTest(x, c.cfg, c.average).Evaluate(t, tensor.Float64, graphtest.Zeros(1, 1, len(c.want)))
			graphtest.RequireClose(t, c.want, got[0], 1e-15, "value")
			// The same holds over the rows and over the columns of a plane, and over an axis of a volume.
			for _, spatial := range [][]int{{4, 1}, {1, 4}, {1, 4, 1}} {
				at := slices.Index(spatial, 4)
				axis := func(v []int, rest int) (out []int) {
					for i := range spatial {
						switch {
						case i != at:
							out = append(out, rest)
						case v == nil:
							out = append(out, 0)
						default:
							out = append(out, v[0])
						}
					}
					return out
				}
				cfg := c.cfg
				cfg.Kernel, cfg.Stride, cfg.Dilation = axis(cfg.Kernel, 1), axis(cfg.Stride, 1), axis(cfg.Dilation, 1)
				cfg.PadBegin, cfg.PadEnd = axis(cfg.PadBegin, 0), axis(cfg.PadEnd, 0)
				o := poolNDTest(graphtest.NewArray(append([]int{1, 1}, spatial...), x.Data), cfg, c.average)
				got := o.Evaluate(t, tensor.Float32, graphtest.Zeros(o.Want(o.In).Shape...))
				graphtest.RequireClose(t, c.want, got[0], 1e-7, fmt.Sprint(spatial))
			}
		})
	}
}

func TestMaxPoolIndices(t *testing.T) {
	for i, c := range []struct {
		shape []int
		cfg   graph.PoolNDConfig
	}{
		{[]int{2, 3, 7}, graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{2}, PadBegin: []int{1}}},
		{[]int{2, 2, 5, 4}, graph.PoolNDConfig{Kernel: []int{2, 3}, Stride: []int{1, 1}, PadEnd: []int{1, 2}}},
		{[]int{2, 2, 3, 4, 3}, graph.PoolNDConfig{Kernel: []int{2, 2, 2}, Dilation: []int{1, 2, 2},
			Stride: []int{1, 1, 1}}},
	} {
		for _, columnMajor := range []bool{false, true} {
			x := graphtest.Spread(newRand(uint64(i)), c.shape...)
			place := func(at []int) float64 { // the position in x in row-major order
				spatial := slices.Clone(at[2:])
				sizes := slices.Clone(c.shape[2:])
				if columnMajor {
					slices.Reverse(spatial)
					slices.Reverse(sizes)
				}
				p := at[0]*c.shape[1] + at[1]
				for i, v := range spatial {
					p = p*sizes[i] + v
				}
				return float64(p)
			}
			want := poolNDRef(x, c.cfg, false)
			graphtest.Each(c.shape, func(at []int) { // the elements are distinct
				for k, v := range want.Data {
					if v == x.At(at...) {
						want.Data[k] = place(at) + 1e6
					}
				}
			})
			s := graphtest.NewSession(t, tensor.Float32, graphtest.Constant(x))
			y, err := graph.MaxPoolIndices(s.In[0], c.cfg, columnMajor)
			require.NoError(t, err)
			require.Equal(t, want.Shape, []int(y.Shape()))
			s.Read(y)
			for range 2 {
				for k, v := range s.Run()[0] {
					require.Equal(t, want.Data[k]-1e6, v, "%v %v %d", c.shape, columnMajor, k)
				}
			}
		}
	}
}

func TestPoolNDErrors(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64)
	x := s.Add(graphtest.Constant(graphtest.Zeros(1, 2, 4, 4, 4)), "x")
	flat := s.Add(graphtest.Constant(graphtest.Zeros(2, 3)), "flat")
	k := []int{2, 2, 2}
	for want, c := range map[string]struct {
		x   *G.Node
		cfg graph.PoolNDConfig
	}{
		"input 0: expected a node, got nil":   {nil, graph.PoolNDConfig{Kernel: k}},
		"expected at least 3 axes":            {flat, graph.PoolNDConfig{Kernel: k}},
		"kernel: expected 3 numbers, got []":  {x, graph.PoolNDConfig{}},
		"stride: expected 3 numbers, got [1]": {x, graph.PoolNDConfig{Kernel: k, Stride: []int{1}}},
		"expected positive sizes, got an axis of 4 with kernel 2, stride -1": {
			x, graph.PoolNDConfig{Kernel: k, Stride: []int{-1, 1, 1}}},
		"expected padding of at least zero and less than a window of 2 with dilation 1, got 2 and 0": {
			x, graph.PoolNDConfig{Kernel: k, PadBegin: []int{0, 2, 0}}},
		"does not fit the padded input 4": {x, graph.PoolNDConfig{Kernel: []int{1, 5, 1}}},
	} {
		for _, op := range []func() (*G.Node, error){
			func() (*G.Node, error) { return graph.MaxPoolND(c.x, c.cfg) },
			func() (*G.Node, error) { return graph.AvgPoolND(c.x, c.cfg) },
			func() (*G.Node, error) { return graph.MaxPoolIndices(c.x, c.cfg, false) },
		} {
			_, err := op()
			require.ErrorContains(t, err, want)
		}
	}
}
