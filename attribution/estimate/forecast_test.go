package estimate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// The forecast for a target is near what the run then takes.
func TestForecastOfATarget(t *testing.T) {
	g := randomTable(9, 3)
	for _, e := range samplers() {
		opt := attribution.Options{TargetStdErr: 0.02, Seed: 4}
		f, err := Predict(background, e, g, opt, 200)
		require.NoError(t, err, e.Name())
		est, err := e.Estimate(background, g, opt)
		require.NoError(t, err)
		if est.Stopped == attribution.StopExact {
			continue
		}
		// Rounds grow by at least a quarter, and the pilot's largest standard error is itself an estimate.
		assert.InEpsilon(t, est.Equivalents, f.Equivalents, 0.5, e.Name())
		assert.InEpsilon(t, 0.02, f.StdErr, 0.01, e.Name())
	}
}

func TestForecastOfABudget(t *testing.T) {
	g := randomTable(9, 3)
	for _, e := range unbiased() {
		opt := attribution.Options{Budget: 40000, Seed: 4}
		f, err := Predict(background, e, g, opt, 0)
		require.NoError(t, err, e.Name())
		est, err := e.Estimate(background, g, opt)
		require.NoError(t, err)
		assert.Equal(t, est.Samples, f.Samples, e.Name())
		assert.Equal(t, est.Equivalents, f.Equivalents, e.Name())
		assert.InEpsilon(t, est.MaxStdErr(), f.StdErr, 0.35, e.Name())
		assert.Less(t, f.Pilot.Equivalents, 30000.0)
	}
}

func TestForecastOfDeterministicEstimators(t *testing.T) {
	g := randomNetwork(3, 12, 1).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for _, e := range []attribution.Estimator{Exact{}, GradientActivation{}, IntegratedGradients{}} {
		f, err := Predict(background, e, g, attribution.Options{}, 0)
		require.NoError(t, err, e.Name())
		est, err := e.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		assert.Equal(t, est.Equivalents, f.Equivalents, e.Name())
		assert.Greater(t, f.Seconds, 0.0)
		assert.LessOrEqual(t, f.Pilot.Equivalents, 50.0)
	}
	_, err := Predict(background, IntegratedGradients{}, randomTable(4, 1), attribution.Options{}, 0)
	assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
	_, err = Predict(background, Exact{}, badGame{25, 1}, attribution.Options{}, 0)
	assert.ErrorContains(t, err, "at most 20")
}

func TestForecastFindsThePilotThatAnEstimatorNeeds(t *testing.T) {
	g := randomNetwork(3, 150, 1).game(t, games.PenultimateOptions{Value: attribution.Probability})
	f, err := Predict(background, KernelSHAP{}, g, attribution.Options{Samples: 5000}, 8)
	require.NoError(t, err)
	assert.Equal(t, 5000, f.Samples)
	f, err = Predict(background, LeverageSHAP{}, randomTable(5, 1), attribution.Options{Samples: 10}, 0)
	require.NoError(t, err)
	assert.Equal(t, 15, f.Samples, "all pairs are the pilot")
	_, err = Predict(background, Permutation{}, g, attribution.Options{}, 0)
	assert.ErrorContains(t, err, "expected a number of samples")
	_, err = Predict(background, Permutation{}, g, attribution.Options{Samples: 1}, -1)
	assert.ErrorContains(t, err, "samples, got -1")
	_, err = Predict(background, Permutation{}, failing{randomTable(5, 1)}, attribution.Options{Samples: 1}, 1)
	assert.ErrorIs(t, err, errBroken)
}
