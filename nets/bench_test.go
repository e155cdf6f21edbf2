package nets_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// BenchmarkFeatures runs the whole graph of a network from pixels to features and logits, in micro-batches of several sizes.
func BenchmarkFeatures(b *testing.B) {
	const images = 64
	for _, name := range []string{"densenet-bc-100-12", "wrn-16-2", "resnet-cifar-8-16"} {
		net, err := nets.New(name, 10)
		require.NoError(b, err)
		rng := rand.New(rand.NewPCG(1, 1))
		for _, p := range net.Params() {
			for i := range p.Float32s() {
				p.Float32s()[i] = 0.1 * rng.Float32()
			}
		}
		x := make([]float32, images*3*32*32)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		for _, batch := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("%s/batch=%d", name, batch), func(b *testing.B) {
				prog, err := graph.Compile(net, graph.Options{Batch: batch})
				require.NoError(b, err)
				b.ReportAllocs()
				runtime.GC()
				for _, err := range prog.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
					for b.Loop() && yield(graph.Batch{X: x, N: images}, nil) {
					}
				}) {
					require.NoError(b, err)
				}
				rate := float64(images*b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "images/s")
				b.ReportMetric(rate*float64(prog.FLOPs())*1e-9, "GFLOP/s")
			})
		}
	}
}
