package posthoc_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line/posthoc"
)

// TestReferenceScores compares scores of a trained DenseNet's logits with those that PyTorch computed in float64,
// stored as float32.
func TestReferenceScores(t *testing.T) {
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	reference, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_scores.npz"))
	require.NoError(t, err)
	s := posthoc.Samples{N: 64, FeatureDim: 342, Classes: 10}
	s.Features, err = probe.Float32("features", 64, 342)
	require.NoError(t, err)
	s.Logits, err = probe.Float32("logits", 64, 10)
	require.NoError(t, err)
	s.Labels, err = probe.Ints("labels", 64)
	require.NoError(t, err)

	for _, name := range []string{"msp", "energy"} {
		want, err := reference.Float64(name+"__cifar10_test", -1)
		require.NoError(t, err)
		got := make([]float64, s.N)
		require.NoError(t, newMethod(t, name, posthoc.Options{}).Score(t.Context(), s, got))
		for i := range got {
			// The probe's logits are a float32 product, the reference's logits a float64 product of the same
			// features.
			assert.InDelta(t, want[i], got[i], 1e-5, "%s, sample %d", name, i)
		}
	}
}
