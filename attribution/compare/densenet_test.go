package compare

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// denseNet is the final layer of the CIFAR-10 DenseNet of the LINe paper and the features of 64 test images.
func denseNet(t testing.TB) (h *games.Readout, z [][]float64, logits []float64) {
	t.Helper()
	sd, err := weights.Read(sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	w, ok := sd.Get("fc.weight")
	require.True(t, ok, fmt.Sprint(sd.Names()))
	b, ok := sd.Get("fc.bias")
	require.True(t, ok)
	h, err = games.NewReadout(nets.Head{Classes: 10, FeatureDim: 342, Weight: w.F32, Bias: b.F32})
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

// On real activations: gradient × activation, the closed form and permutation sampling agree on the logit; on the
// log-sum-exp the sampling estimators agree with a high-budget reference, and gradient × activation does not.
func TestDenseNetAttributions(t *testing.T) {
	h, z, _ := denseNet(t)
	logit, err := games.NewPenultimate(h, z[0], -1, games.PenultimateOptions{})
	require.NoError(t, err)
	want, err := estimate.ClosedForm{}.Estimate(background, logit, attribution.Options{})
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{},
		estimate.IntegratedGradients{}} {
		got, err := e.Estimate(background, logit, attribution.Options{Budget: 5000})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want.Values, got.Values, 1e-5, e.Name())
		assert.InDelta(t, 0, got.Residual, 1e-9, e.Name())
	}
	energy, err := games.NewPenultimate(h, z[0], -1, games.PenultimateOptions{Value: attribution.LogSumExp})
	require.NoError(t, err)
	truth, err := FindTruth(background, energy, attribution.Options{Samples: 4000, Seed: 9})
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{estimate.Permutation{}, estimate.Owen{Halved: true},
		estimate.KernelSHAP{Paired: true}, estimate.LeverageSHAP{}, estimate.SVARM{Stratified: true}} {
		got, err := e.Estimate(background, energy, attribution.Options{Budget: 42000, Seed: 1})
		require.NoError(t, err)
		assert.Greater(t, Coverage(truth.Values, truth.StdErr, &got, 0.95), 0.9, e.Name())
		t.Logf("%-28s MSE %.2e precision@35 %.2f", e.Name(), MeanSquaredError(truth.Values, got.Values),
			PrecisionAtK(truth.Values, got.Values, 35))
	}
	ga, err := estimate.GradientActivation{}.Estimate(background, energy, attribution.Options{})
	require.NoError(t, err)
	t.Logf("%-28s MSE %.2e precision@35 %.2f residual %.2f", ga.Method, MeanSquaredError(truth.Values, ga.Values),
		PrecisionAtK(truth.Values, ga.Values, 35), ga.Residual)
	assert.Greater(t, MeanSquaredError(truth.Values, ga.Values), 100*square(truth.StdErr))
}

func square(x []float64) float64 { return MeanSquaredError(x, make([]float64, len(x))) }
