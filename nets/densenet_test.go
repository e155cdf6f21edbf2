package nets_test

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// cifarBatch reads the first n records of a CIFAR-10 file, normalised.
func cifarBatch(t testing.TB, path string, n int) graph.Batch {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	p := nets.CIFAR()
	b := graph.Batch{N: n}
	for i := range n {
		rec := raw[i*3073:][:3073]
		b.Labels = append(b.Labels, int(rec[0]))
		for j, v := range rec[1:] {
			c := j / 1024
			b.X = append(b.X, (float32(v)/255-p.Mean[c])/p.Std[c])
		}
	}
	return b
}

func stream(bs ...graph.Batch) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for _, b := range bs {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func cifar10(t testing.TB) *nets.Network {
	t.Helper()
	net, err := nets.DenseNetBC(nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 10})
	require.NoError(t, err)
	require.NoError(t, weights.LoadInto(net, sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar")))
	return net
}

func TestDenseNetMatchesPyTorch(t *testing.T) {
	net := cifar10(t)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	want, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	batch := cifarBatch(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"), 64)
	for range 2 {
		start := time.Now()
		for out, err := range prog.Run(context.Background(), stream(batch)) {
			require.NoError(t, err)
			t.Log(time.Since(start))
			for name, got := range map[string][]float32{"features": out.Float32("features"), "logits": out.Float32("logits")} {
				ref, err := want.Get(name)
				require.NoError(t, err)
				worst := 0.0
				for i, v := range ref.Data.([]float32) {
					worst = max(worst, math.Abs(float64(v-got[i])))
				}
				t.Logf("%s: largest difference %.3g", name, worst)
				require.Less(t, worst, 2e-4, name)
			}
		}
	}
}
