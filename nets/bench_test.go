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

// BenchmarkFeatures runs the whole graph of a network, from pixels to features and logits, in every precision and with
// micro-batches of several sizes. Its names consist of keys and values, which benchstat can compare. goline bench tells
// more about a single network.
func BenchmarkFeatures(b *testing.B) {
	for _, n := range []struct {
		name           string
		classes, batch int // batch: images that a worker runs at once, 0 to try several numbers
		images         int
	}{
		{"densenet-bc-100-12", 10, 0, 64}, {"wrn-16-2", 10, 0, 64}, {"resnet-cifar-8-16", 10, 0, 64},
		{"resnet50", 1000, 1, 4}, {"mobilenet_v2", 1000, 1, 8}, {"densenet121", 1000, 1, 4},
		{"efficientnet_b0", 1000, 1, 8}, {"vit_b_16", 1000, 1, 2},
	} {
		net, err := nets.New(n.name, n.classes)
		require.NoError(b, err)
		rng := rand.New(rand.NewPCG(1, 1))
		for _, p := range net.Params() {
			for i := range p.Float32s() {
				p.Float32s()[i] = 0.1 * rng.Float32()
			}
		}
		size := 1
		for _, s := range net.InputShape() {
			size *= s
		}
		x := make([]float32, n.images*size)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		batches := []int{n.batch}
		if n.batch == 0 {
			batches = []int{1, 2, 8}
		}
		for _, precision := range []graph.Precision{graph.Float32, graph.BFloat16} {
			for _, batch := range batches {
				b.Run(fmt.Sprintf("net=%s/precision=%s/batch=%d", n.name, precision, batch), func(b *testing.B) {
					benchmarkFeatures(b, net, graph.Options{Batch: batch, Precision: precision}, x, n.images)
				})
			}
		}
	}
}

func benchmarkFeatures(b *testing.B, net *nets.Network, o graph.Options, x []float32, images int) {
	prog, err := graph.Compile(net, o)
	require.NoError(b, err)
	defer prog.Close()
	b.ReportAllocs()
	runtime.GC()
	stream := func(yield func(graph.Batch, error) bool) { yield(graph.Batch{X: x, N: images}, nil) }
	for b.Loop() {
		for _, err := range prog.Run(context.Background(), stream) {
			require.NoError(b, err)
		}
	}
	rate := float64(images*b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "images/s")
	b.ReportMetric(rate*float64(prog.FLOPs())*1e-9, "GFLOP/s")
}
