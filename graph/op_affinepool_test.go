package graph_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// pooledConv is a convolution with layers around it, followed by an average pooling.
type pooledConv struct {
	n, c, o, h, w, k       int
	preNorm, preReLU, bias bool
	norm, relu             bool
	conv                   graph.ConvConfig
	pool                   graph.PoolConfig
}

// model returns the network. With tap the convolution is tapped, which keeps the pooling behind it.
func (p pooledConv) model(seed uint64, tap bool) *model {
	r := newRand(seed)
	m := &model{shape: []int{p.c, p.h, p.w}, outputs: []string{"y", "dx"}}
	m.param("conv.weight", graphtest.Normal(r, p.o, p.c, p.k, p.k))
	if p.bias {
		m.param("conv.bias", graphtest.Normal(r, p.o))
	}
	newNorm(m, r, "pre", p.c)
	newNorm(m, r, "post", p.o)
	m.build = func(b *graph.Builder, x *G.Node) error {
		y := x
		if p.preNorm {
			y = b.BatchNorm(y, "pre", normEps)
		}
		if p.preReLU {
			y = b.ReLU(y)
		}
		y = b.Conv(y, "conv", p.conv)
		if p.norm {
			y = b.BatchNorm(y, "post", normEps)
		}
		if p.relu {
			y = b.ReLU(y)
		}
		if tap {
			y = b.Tap("conv", y)
		}
		y = b.Tap("y", b.AvgPool(y, p.pool))
		b.TapOnDemand("dx", func() (*G.Node, error) {
			gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{b.Input("cotangent", y.Shape()[1:]...)}, G.Nodes{x})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		})
		return b.Err()
	}
	return m
}

// check compares value and gradient with those of the same layers kept apart, and tells whether the pooling was moved
// in front of the convolution.
func (p pooledConv) check(t tester, seed uint64) (moved bool) {
	t.Helper()
	r := newRand(seed + 1)
	x := graphtest.Normal(r, p.n, p.c, p.h, p.w)
	batch := batchOf(x)
	var programs []*graph.Program
	for _, tap := range []bool{false, true} {
		o := graph.Options{Dtype: tensor.Float64, Batch: 2, Fetch: []string{"y"}}
		shape := compile(t, p.model(seed, tap), o).Shape("y")
		o.Fetch = nil
		programs = append(programs, compile(t, p.model(seed, tap), o))
		batch.Inputs = map[string][]float32{"cotangent": narrow(graphtest.Normal(newRand(seed),
			append([]int{p.n}, shape...)...).Data)}
	}
	got, want := fetched(t, programs[0], stream(batch)), fetched(t, programs[1], stream(batch))
	require.Equal(t, got, fetched(t, programs[0], stream(batch)), "a second run")
	for _, name := range []string{"y", "dx"} {
		require.InDeltaSlice(t, want[name], got[name], 1e-11, name)
	}
	single := graph.Options{Batch: 3}
	got = fetched(t, compile(t, p.model(seed, false), single), stream(batch))
	for _, name := range []string{"y", "dx"} {
		require.InDeltaSlice(t, want[name], got[name], 1e-3, name)
	}
	return programs[0].FLOPs() < programs[1].FLOPs()
}

func TestAveragePoolingMovesBeforePointwiseConvolutions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		flag := func(name string) bool { return rapid.Bool().Draw(rt, name) }
		p := pooledConv{
			n: draw("batch", 1, 3), c: draw("channels", 1, 70), o: draw("out", 1, 5), h: draw("height", 4, 9),
			w: draw("width", 4, 9), k: 1,
			preNorm: flag("pre-norm"), preReLU: flag("pre-ReLU"), bias: flag("bias"), norm: flag("norm"),
			pool: graph.PoolConfig{CeilMode: flag("ceil"), CountIncludePad: flag("include pad")},
		}
		for a := range 2 {
			p.pool.Kernel[a], p.pool.Stride[a] = draw("kernel", 1, 4), draw("stride", 2, 4)
		}
		require.True(rt, p.check(rt, rapid.Uint64().Draw(rt, "seed")), "the pooling did not move")
	})
}

// TestAveragePoolingStays: the pooling stays behind a convolution that does not commute with a mean, or is followed by
// something that does not.
func TestAveragePoolingStays(t *testing.T) {
	plain := pooledConv{n: 2, c: 3, o: 4, h: 6, w: 6, k: 1, preNorm: true, preReLU: true,
		pool: graph.PoolConfig{Kernel: [2]int{2, 2}}}
	require.True(t, plain.check(t, 1))
	for name, change := range map[string]func(p *pooledConv){
		"ReLU behind":  func(p *pooledConv) { p.relu = true },
		"3×3":          func(p *pooledConv) { p.k, p.conv.Padding = 3, [2]int{1, 1} },
		"stride down":  func(p *pooledConv) { p.conv.Stride = [2]int{2, 1} },
		"stride right": func(p *pooledConv) { p.conv.Stride = [2]int{1, 2} },
		"conv padding": func(p *pooledConv) { p.conv.Padding = [2]int{1, 1} },
		"pool padding": func(p *pooledConv) {
			p.pool.Padding, p.pool.CountIncludePad, p.bias = [2]int{1, 1}, true, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plain
			change(&p)
			require.False(t, p.check(t, 1))
		})
	}
}

func TestAveragePoolingIsFusedWithWhatIsBeforeIt(t *testing.T) {
	p := pooledConv{n: 1, c: 3, o: 2, h: 4, w: 4, k: 1, preNorm: true, preReLU: true,
		pool: graph.PoolConfig{Kernel: [2]int{2, 2}}}
	var dot bytes.Buffer
	require.NoError(t, compile(t, p.model(1, false), graph.Options{Fetch: []string{"y"}}).DOT(&dot))
	require.Contains(t, dot.String(), "Affine→ReLU→AvgPool2D")
}
