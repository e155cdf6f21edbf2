package nets_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// TestThreads checks that outputs have the same bits for any number of threads, workers and images at once, in float32
// and bfloat16, of networks with chains of convolutions and without. With twelve images of 224×224 at once images take
// turns at the largest maps.
func TestThreads(t *testing.T) {
	const images = 3
	for _, name := range []string{"densenet-bc-22-12", "resnet-cifar-8-16", "mobilenet_v2"} {
		net, err := nets.New(name, 10)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(1, 2))
		for _, p := range net.Params() {
			for i := range p.Float32s() {
				p.Float32s()[i] = 0.1 * rng.Float32()
			}
		}
		size := 1
		for _, n := range net.InputShape() {
			size *= n
		}
		x := make([]float32, images*size)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for _, precision := range []graph.Precision{graph.Float32, graph.BFloat16} {
			if precision == graph.BFloat16 && name == "mobilenet_v2" && testing.Short() {
				continue
			}
			var want []float32
			for _, o := range []graph.Options{{Batch: 2, Workers: 1}, {Batch: 1, Workers: 1, Threads: 2},
				{Batch: 2, Workers: 2, Threads: 3}, {Batch: 12, Workers: 1}} {
				o.Precision = precision
				prog, err := graph.Compile(net, o)
				require.NoError(t, err)
				var got []float32
				for range 2 { // helpers come and go
					got = got[:0]
					for out, err := range prog.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
						yield(graph.Batch{X: x, N: images}, nil)
					}) {
						require.NoError(t, err)
						got = append(append(got, out.Float32(nets.Features)...), out.Float32(nets.Logits)...)
					}
				}
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s %s %+v", name, precision, o)
			}
		}
	}
}
