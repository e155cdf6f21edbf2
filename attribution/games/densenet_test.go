package games

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// denseNet is the final layer of the CIFAR-10 DenseNet of the LINe paper and the features of 64 test images.
func denseNet(t testing.TB) (h *Readout, z [][]float64, logits []float64) {
	t.Helper()
	sd, err := weights.Read(sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	w, ok := sd.Get("fc.weight")
	require.True(t, ok, fmt.Sprint(sd.Names()))
	b, ok := sd.Get("fc.bias")
	require.True(t, ok)
	h, err = NewReadout(nets.Head{Classes: 10, FeatureDim: 342, Weight: w.F32, Bias: b.F32})
	require.NoError(t, err)
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	features, err := probe.Float64("features", 64, 342)
	require.NoError(t, err)
	logits, err = probe.Float64("logits", 64, 10)
	require.NoError(t, err)
	for i := range 64 {
		z = append(z, features[i*342:(i+1)*342])
	}
	return h, z, logits
}

func TestDenseNetHead(t *testing.T) {
	h, z, logits := denseNet(t)
	got := make([]float64, 10)
	for i, row := range z {
		h.logits(row, got)
		assert.InDeltaSlice(t, logits[i*10:(i+1)*10], got, 1e-4, "image %d", i)
	}
}
