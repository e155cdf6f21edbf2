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

// rearranged tests an operation whose element at index i is that of x at from(i), or fill where from returns nil.
func rearranged(op func(x *G.Node) (*G.Node, error), shape, to []int, fill float64,
	from func(i []int) []int) graphtest.Op {
	return graphtest.Op{
		In:    []graphtest.Input{graphtest.Variable(graphtest.Normal(newRand(5), shape...))},
		Build: func(in G.Nodes) (*G.Node, error) { return op(in[0]) },
		Want: func(in []graphtest.Input) graphtest.Array {
			return graphtest.Map(to, func(i []int) float64 {
				if j := from(i); j != nil {
					return in[0].At(j...)
				}
				return fill
			})
		},
	}
}

func permuted(shape []int, perm ...int) graphtest.Op {
	to := make([]int, len(perm))
	for i, p := range perm {
		to[i] = shape[p]
	}
	return rearranged(func(x *G.Node) (*G.Node, error) { return graph.Transpose(x, perm...) }, shape, to, 0,
		func(i []int) []int {
			j := make([]int, len(i))
			for k, p := range perm {
				j[p] = i[k]
			}
			return j
		})
}

func TestTranspose(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 6).Draw(rt, "shape")
		perm := rapid.Permutation(func() (p []int) {
			for i := range shape {
				p = append(p, i)
			}
			return p
		}()).Draw(rt, "perm")
		permuted(shape, perm...).Check(rt, 1)
	})
	permuted([]int{2, 3, 17, 19}, 0, 2, 3, 1).Check(t, 1)
	permuted([]int{2, 17, 19, 3}, 0, 3, 1, 2).Check(t, 1)
	permuted([]int{67, 35}, 1, 0).Check(t, 1)
	permuted([]int{2, 9, 3, 5}, 0, 2, 1, 3).Check(t, 1)
	reverse := permuted([]int{2, 3, 4}, 2, 1, 0)
	reverse.Build = func(in G.Nodes) (*G.Node, error) { return graph.Transpose(in[0]) }
	reverse.Check(t, 1)
}

// slicedAxis lists the indices that Python's slice start:end:step selects of n elements.
func slicedAxis(start, end, step, n int) (at []int) {
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	start, end = min(max(start, low), high), min(max(end, low), high)
	for i := start; step > 0 && i < end || step < 0 && i > end; i += step {
		at = append(at, i)
	}
	return at
}

func TestSlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 6), 1, 4).Draw(rt, "shape")
		axis := rapid.IntRange(0, len(shape)-1).Draw(rt, "axis")
		start, end := rapid.IntRange(-8, 8).Draw(rt, "start"), rapid.IntRange(-8, 8).Draw(rt, "end")
		step := rapid.IntRange(-4, 4).Filter(func(i int) bool { return i != 0 }).Draw(rt, "step")
		at := slicedAxis(start, end, step, shape[axis])
		op := func(x *G.Node) (*G.Node, error) { return graph.Slice(x, axis-len(shape), start, end, step) }
		if len(at) == 0 {
			s := graphtest.NewSession(rt, tensor.Float64, graphtest.Constant(graphtest.Zeros(shape...)))
			_, err := op(s.In[0])
			require.ErrorContains(rt, err, "Slice: nothing between")
			return
		}
		to := append([]int{}, shape...)
		to[axis] = len(at)
		rearranged(op, shape, to, 0, func(i []int) []int {
			j := append([]int{}, i...)
			j[axis] = at[i[axis]]
			return j
		}).Check(rt, 1)
	})
	for _, c := range []struct{ start, end, step, first, n int }{
		{math.MinInt, math.MaxInt, 1, 0, 5}, {math.MaxInt, math.MinInt, -1, 4, 5}, {-1, math.MinInt, math.MinInt, 4, 1},
		{1, 9, math.MaxInt, 1, 1},
	} {
		s := graphtest.NewSession(t, tensor.Float64,
			graphtest.Constant(graphtest.NewArray([]int{5}, []float64{0, 1, 2, 3, 4})))
		s.Read(must2(t)(graph.Slice(s.In[0], 0, c.start, c.end, c.step)))
		got := s.Run()[0]
		require.Len(t, got, c.n)
		require.Equal(t, float64(c.first), got[0])
	}
}

func TestConcatAxis(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "shape")
		axis := rapid.IntRange(0, len(shape)-1).Draw(rt, "axis")
		var in []graphtest.Input
		to := append([]int{}, shape...)
		to[axis] = 0
		for i, n := range rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "lengths") {
			own := append([]int{}, shape...)
			own[axis] = n
			to[axis] += n
			in = append(in, graphtest.Variable(graphtest.Normal(newRand(uint64(i)), own...)))
		}
		graphtest.Op{
			In:    in,
			Build: func(in G.Nodes) (*G.Node, error) { return graph.ConcatAxis(axis, in...) },
			Want: func(in []graphtest.Input) graphtest.Array {
				return graphtest.Map(to, func(i []int) float64 {
					j := append([]int{}, i...)
					for _, x := range in {
						if j[axis] < x.Shape[axis] {
							return x.At(j...)
						}
						j[axis] -= x.Shape[axis]
					}
					panic("unreachable")
				})
			},
		}.Check(rt, 1)
	})
}

// padded returns the index of the element that a place of a padded axis copies, -1 for none. It finds it step by step,
// not by a formula.
func padded(mode graph.PadMode, i, n int) int {
	if i >= 0 && i < n {
		return i
	}
	at, step := 0, 1
	switch {
	case mode == graph.PadConstant:
		return -1
	case mode == graph.PadEdge && i < 0:
		return 0
	case mode == graph.PadEdge:
		return n - 1
	case n == 1:
		return 0
	}
	dir := 1
	if i < 0 {
		dir = -1
		if mode == graph.PadReflect {
			dir = 1 // left of the array, its mirror image runs in the array's own direction
			i = -i
		}
	}
	for range max(i, -i) {
		next := at + step*dir
		if mode == graph.PadWrap {
			at = (next + n) % n
			continue
		}
		if next < 0 || next >= n {
			step = -step
			next = at + step*dir
		}
		at = next
	}
	return at
}

func TestPad(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "shape")
		cfg := graph.PadConfig{Mode: graph.PadMode(rapid.IntRange(0, 3).Draw(rt, "mode")), Value: 0.75}
		to := append([]int{}, shape...)
		for i := range shape {
			b, a := rapid.IntRange(-2, 5).Draw(rt, "before"), rapid.IntRange(-2, 5).Draw(rt, "after")
			if shape[i]+a+b < 1 {
				a, b = 0, 0
			}
			to[i] += a + b
			cfg.Before, cfg.After = append(cfg.Before, b), append(cfg.After, a)
		}
		rearranged(func(x *G.Node) (*G.Node, error) { return graph.Pad(x, cfg) }, shape, to, 0.75, func(i []int) []int {
			j := make([]int, len(i))
			for k := range i {
				if j[k] = padded(cfg.Mode, i[k]-cfg.Before[k], shape[k]); j[k] < 0 {
					return nil
				}
			}
			return j
		}).Check(rt, 1)
	})
}

func TestTake(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "shape")
		axis := rapid.IntRange(0, len(shape)-1).Draw(rt, "axis")
		n := shape[axis]
		index := rapid.SliceOfN(rapid.IntRange(-n, n-1), 1, 6).Draw(rt, "index")
		to := append([]int{}, shape...)
		to[axis] = len(index)
		rearranged(func(x *G.Node) (*G.Node, error) { return graph.Take(x, axis, index) }, shape, to, 0,
			func(i []int) []int {
				j := append([]int{}, i...)
				j[axis] = (index[i[axis]] + n) % n
				return j
			}).Check(rt, 1)
	})
}

func TestExpand(t *testing.T) {
	for _, c := range []struct{ from, shape, to []int }{
		{[]int{3, 1}, []int{3, 4}, []int{3, 4}}, {[]int{3, 1}, []int{2, 1, 6}, []int{2, 3, 6}},
		{[]int{1}, []int{2, 3}, []int{2, 3}},
		{[]int{3, 4}, []int{1}, []int{3, 4}}, {[]int{2, 1, 3, 1}, []int{2, 5, 3, 2}, []int{2, 5, 3, 2}},
		{[]int{3}, []int{5, 3}, []int{5, 3}},
	} {
		broadcastTest(func(in G.Nodes) (*G.Node, error) { return graph.Expand(in[0], c.shape...) },
			func(x []float64) float64 { return x[0] },
			c.to, graphtest.Variable(graphtest.Normal(newRand(1), c.from...))).Check(t, 1)
	}
}

func TestTile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 4).Draw(rt, "shape")
		reps := rapid.SliceOfN(rapid.IntRange(1, 3), len(shape), len(shape)).Draw(rt, "reps")
		to := append([]int{}, shape...)
		for i, r := range reps {
			to[i] *= r
		}
		rearranged(func(x *G.Node) (*G.Node, error) { return graph.Tile(x, reps...) }, shape, to, 0,
			func(i []int) []int {
				j := make([]int, len(i))
				for k := range i {
					j[k] = i[k] % shape[k]
				}
				return j
			}).Check(rt, 1)
	})
}

func TestReshapeAll(t *testing.T) {
	rearranged(func(x *G.Node) (*G.Node, error) { return graph.ReshapeAll(x, 2, 3, 2) }, []int{4, 3}, []int{2, 3, 2}, 0,
		func(i []int) []int {
			k := (i[0]*3+i[1])*2 + i[2]
			return []int{k / 3, k % 3}
		}).Check(t, 1)
}

func TestChannelShuffle(t *testing.T) {
	for _, shape := range [][]int{{2, 6, 3, 2}, {1, 12}, {3, 6, 5}} {
		for _, groups := range []int{1, 2, 3, 6} {
			rearranged(func(x *G.Node) (*G.Node, error) { return graph.ChannelShuffle(x, groups) }, shape, shape, 0,
				func(i []int) []int {
					j := append([]int{}, i...)
					j[1] = i[1]%groups*(shape[1]/groups) + i[1]/groups
					return j
				}).Check(t, 1)
		}
	}
}

func TestDepthAndSpace(t *testing.T) {
	for _, block := range []int{1, 2, 3} {
		for _, crd := range []bool{false, true} {
			for _, c := range []int{1, 2} {
				deep, wide := []int{2, c * block * block, 3, 2}, []int{2, c, 3 * block, 2 * block}
				toDeep := func(i []int) []int {
					k := i[2]%block*block + i[3]%block // place in the block
					channel := k*c + i[1]
					if crd {
						channel = i[1]*block*block + k
					}
					return []int{i[0], channel, i[2] / block, i[3] / block}
				}
				toWide := func(i []int) []int {
					channel, k := i[1]%c, i[1]/c
					if crd {
						channel, k = i[1]/(block*block), i[1]%(block*block)
					}
					return []int{i[0], channel, i[2]*block + k/block, i[3]*block + k%block}
				}
				name := fmt.Sprint(block, crd, c)
				t.Run("DepthToSpace "+name, func(t *testing.T) {
					rearranged(func(x *G.Node) (*G.Node, error) { return graph.DepthToSpace(x, block, crd) }, deep,
						wide, 0, toDeep).Check(t, 1)
				})
				t.Run("SpaceToDepth "+name, func(t *testing.T) {
					rearranged(func(x *G.Node) (*G.Node, error) { return graph.SpaceToDepth(x, block, crd) }, wide,
						deep, 0, toWide).Check(t, 1)
				})
			}
		}
	}
}
