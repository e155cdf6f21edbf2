package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// multiplying is a layer whose products run on tensor cores.
type multiplying struct {
	input  []int
	weight []int
	build  func(x, w *G.Node) (*G.Node, error)
}

func convolving(channels, side, out, kernel int, cfg graph.ConvConfig) multiplying {
	return multiplying{[]int{channels, side, side}, []int{out, channels / max(cfg.Groups, 1), kernel, kernel},
		func(x, w *G.Node) (*G.Node, error) { return graph.Conv2D(x, w, nil, cfg) }}
}

// run returns the layer's value for inputs and weights, or with abs for their magnitudes.
func (l multiplying) run(t *testing.T, o graph.Options, abs bool) []float64 {
	m := &model{shape: l.input, outputs: []string{"y"}}
	r := newRand(77)
	magnitude := func(a graphtest.Array) graphtest.Array {
		for i, v := range a.Data {
			if abs {
				a.Data[i] = math.Abs(v)
			}
		}
		return a
	}
	m.param("w", magnitude(graphtest.Normal(r, l.weight...)))
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("y", b.Do(func() (*G.Node, error) { return l.build(x, b.Param("w")) }))
		return b.Err()
	}
	const n = 3
	p := compile(t, m, o)
	got := fetched(t, p, stream(batchOf(magnitude(graphtest.Normal(r, append([]int{n}, l.input...)...)))))["y"]
	require.NoError(t, p.Close())
	return got
}

// TestTF32OnACard compares products on tensor cores with those in float64, element by element. Rounding to TF32 changes
// an operand by at most a factor of 1 ± 2⁻¹¹, so a sum of products changes by at most a little more than 2⁻¹⁰ times the
// sum of the products' magnitudes. The test runs tiles of every size, all windows, groups, and sizes that fill no tile.
func TestTF32OnACard(t *testing.T) {
	emu.Use(t).Needs(80)
	layers := map[string]multiplying{
		"linear": {[]int{37}, []int{19, 37}, func(x, w *G.Node) (*G.Node, error) {
			return graph.Linear(x, w, nil)
		}},
		"wide linear": {[]int{65, 40}, []int{130, 40}, func(x, w *G.Node) (*G.Node, error) {
			return graph.Linear(x, w, nil)
		}},
		"grouped": convolving(6, 7, 10, 3, graph.ConvConfig{Groups: 2, Padding: [2]int{1, 1}}),
		"strided": convolving(5, 9, 12, 3, graph.ConvConfig{Stride: [2]int{2, 2}}),
		"5×5":     convolving(2, 9, 33, 5, graph.ConvConfig{Padding: [2]int{2, 2}, Dilation: [2]int{1, 2}}),
	}
	for _, out := range []int{12, 16, 24, 48, 65, 130} {
		layers[fmt.Sprintf("1×1 to %d", out)] = convolving(19, 5, out, 1, graph.ConvConfig{})
		layers[fmt.Sprintf("3×3 to %d", out)] = convolving(3, 6, out, 3, graph.ConvConfig{Padding: [2]int{1, 1}})
	}
	for name, l := range layers {
		exact := l.run(t, graph.Options{Dtype: tensor.Float64}, false)
		size := l.run(t, graph.Options{Dtype: tensor.Float64}, true)
		single := l.run(t, graph.Options{Device: graph.CUDA, Workers: 1}, false)
		got := l.run(t, graph.Options{Device: graph.CUDA, Workers: 1, Precision: graph.TF32}, false)
		moved := 0
		for i, want := range exact {
			require.InDelta(t, want, got[i], size[i]*(0x1p-10+0x1p-16), "%s, element %d", name, i)
			if got[i] != single[i] {
				moved++
			}
		}
		require.Greater(t, moved, len(exact)/2, "%s: most elements must differ from float32's, or no tensor core ran",
			name)
		for _, o := range []graph.Options{{Batch: 1, Workers: 1}, {Batch: 2, Workers: 2}} {
			o.Device, o.Precision = graph.CUDA, graph.TF32
			graphtest.RequireSameBits(t, [][]float64{got}, [][]float64{l.run(t, o, false)}, name)
		}
	}
}

// TestTF32OfANetworkOnACard: convolutions with fused layers, and whole networks, stay near their float32 results.
func TestTF32OfANetworkOnACard(t *testing.T) {
	emu.Use(t).Needs(80)
	net, batch := smallNet(8), samples(8, 5)
	want := fetched(t, compile(t, net, graph.Options{Fetch: []string{"logits"}}), stream(batch))
	p := compile(t, net, graph.Options{Device: graph.CUDA, Precision: graph.TF32, Fetch: []string{"logits"}})
	got := fetched(t, p, stream(batch))
	require.NoError(t, p.Close())
	requireNear(t, want, got, 4e-3)
	single := compile(t, net, graph.Options{Device: graph.CUDA, Fetch: []string{"logits"}})
	require.NotEqual(t, fetched(t, single, stream(batch)), got, "no tensor core ran")
	require.NoError(t, single.Close())
}

// TestCardsWithoutTF32: the processor and cards without tensor cores refuse TF32 with an error, and such cards still
// run float32.
func TestCardsWithoutTF32(t *testing.T) {
	card := emu.Use(t)
	before := card.Used().Held()
	_, err := graph.Compile(smallNet(8), graph.Options{Precision: graph.TF32})
	require.EqualError(t, err, `graph: precision "tf32": expected a card as device, "cuda" or "cuda:N", got "cpu"`)
	card.SetCapability(75)
	_, err = graph.Compile(smallNet(8), graph.Options{Precision: graph.TF32, Device: graph.CUDA})
	require.EqualError(t, err,
		`graph: precision "tf32": device 0, emulated card 0: expected compute capability 8.0 or later, got 7.5`)
	p, err := graph.Compile(smallNet(8), graph.Options{Device: graph.CUDA})
	require.NoError(t, err, "float32 on that card")
	require.NoError(t, runAll(p, samples(8, 2)))
	require.NoError(t, p.Close())
	require.Equal(t, before, card.Used().Held())
}
