package graph_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/kernel"
)

// roundedNet is a network of layers that run in bfloat16 and layers that do not: a first convolution, a pointwise and a
// spatial one, a depthwise one, a pooling and a linear layer.
type roundedNet struct{ params []*graph.Param }

func newRoundedNet() roundedNet {
	n := roundedNet{[]*graph.Param{
		graph.NewParam("first.weight", 20, 3, 3, 3), graph.NewParam("point.weight", 33, 20, 1, 1),
		graph.NewParam("spatial.weight", 18, 33, 3, 3),
		graph.NewParam("depth.weight", 18, 1, 3, 3), graph.NewParam("fc.weight", 5, 18), graph.NewParam("fc.bias", 5),
	}}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range n.params {
		for i := range p.Float32s() {
			p.Float32s()[i] = 0.3 * float32(rng.NormFloat64())
		}
	}
	return n
}

func (roundedNet) InputShape() []int        { return []int{3, 9, 11} }
func (n roundedNet) Params() []*graph.Param { return n.params }
func (roundedNet) Outputs() []string        { return []string{"first", "point", "out"} }

func (roundedNet) Build(b *graph.Builder, x *G.Node) error {
	pad := graph.ConvConfig{Padding: [2]int{1, 1}}
	x = b.Tap("first", b.Conv(x, "first", pad))
	x = b.Tap("point", b.Conv(b.ReLU(x), "point", graph.ConvConfig{}))
	x = b.ReLU(b.Conv(x, "spatial", pad))
	pad.Groups = 18
	x = b.Conv(x, "depth", pad)
	b.Tap("out", b.Linear(b.GlobalAvgPool(x), "fc"))
	return b.Err()
}

// runRoundedNet returns what the network fetches for some images.
func runRoundedNet(t *testing.T, o graph.Options) map[string][]float32 {
	prog, err := graph.Compile(newRoundedNet(), o)
	require.NoError(t, err)
	const n = 7
	rng := rand.New(rand.NewPCG(7, 8))
	x := make([]float32, n*3*9*11)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	all := map[string][]float32{}
	for out, err := range prog.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		yield(graph.Batch{X: x, N: n}, nil)
	}) {
		require.NoError(t, err)
		for _, name := range (roundedNet{}).Outputs() {
			all[name] = append(all[name], out.Float32(name)...)
		}
	}
	return all
}

func TestPrecision(t *testing.T) {
	exact := runRoundedNet(t, graph.Options{})
	for _, level := range kernel.BFloat16Levels() {
		t.Run(level, func(t *testing.T) {
			restore, err := kernel.ForceBFloat16(level)
			require.NoError(t, err)
			defer restore()
			rounded := runRoundedNet(t, graph.Options{Precision: graph.BFloat16})
			require.Equal(t, exact["first"], rounded["first"], "the first convolution stays in float32")
			require.NotEqual(t, exact["point"], rounded["point"])
			for name, want := range exact {
				rms, off := 0.0, 0.0
				for i, v := range want {
					rms += float64(v) * float64(v)
					off += math.Pow(float64(v)-float64(rounded[name][i]), 2)
				}
				require.Less(t, math.Sqrt(off/rms), 0x1p-7, name)
			}
			for _, o := range []graph.Options{{Batch: 1, Workers: 1}, {Batch: 3, Workers: 2}, {Batch: 7, Workers: 3}} {
				o.Precision = graph.BFloat16
				require.Equal(t, rounded, runRoundedNet(t, o), "batch %d, %d workers", o.Batch, o.Workers)
			}
		})
	}
}

func TestPrecisionRefuses(t *testing.T) {
	for want, o := range map[string]graph.Options{
		`precision: expected "f32", "bf16" or "tf32", got "half"`: {Precision: "half"},
		`precision "bf16": expected element type float32, got float64`: {Precision: graph.BFloat16,
			Dtype: tensor.Float64},
		`precision "bf16": expected the device "cpu", got "cuda"`: {Precision: graph.BFloat16,
			Device: graph.CUDA},
	} {
		_, err := graph.Compile(newRoundedNet(), o)
		require.ErrorContains(t, err, want)
	}
	p, err := graph.Compile(newRoundedNet(), graph.Options{Precision: graph.BFloat16, Batch: 3})
	require.NoError(t, err)
	require.Equal(t, graph.BFloat16, p.Options().Precision)
}
