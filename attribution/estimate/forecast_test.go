package estimate

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// The forecast cost of a target is near the cost of the run.
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

// Where a sample takes many values and the budget allows few samples, so do the pilots.
func TestForecastPilotsAreWithinTheBudget(t *testing.T) {
	g := plain{randomNetwork(3, 100, 1).game(t, games.PenultimateOptions{Value: attribution.Probability})}
	for _, e := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true}, Owen{Halved: true},
		LeverageSHAP{}} {
		for _, budget := range []float64{3400, 34000} {
			opt := attribution.Options{Budget: budget, Seed: 4}
			f, err := Predict(background, e, g, opt, 0)
			require.NoError(t, err, e.Name())
			assert.LessOrEqual(t, f.Pilot.Equivalents, budget, "%s, budget %v", e.Name(), budget)
			est, err := e.Estimate(background, g, opt)
			require.NoError(t, err)
			assert.InEpsilon(t, est.Equivalents, f.Equivalents, 0.01, "%s, budget %v", e.Name(), budget)
		}
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

// cubic takes samples as Permutation does, and claims own seconds that grow with the cube of the samples.
type cubic struct{ Permutation }

func (c cubic) timed(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, float64, error) {
	e, err := c.Estimate(ctx, g, opt)
	return e, e.Seconds, err
}

func (cubic) ownSeconds(_ context.Context, _ attribution.Game, samples, _ int) (float64, error) {
	if samples == 999 {
		return 0, errBroken
	}
	return float64(samples * samples * samples), nil
}

var (
	_ ownTimed = OddRegression{}
	_ ownTimed = LeverageSHAP{}
	_ ownTimed = KernelSHAP{}
)

// The seconds of a regression are told from those of the game, and grow with the rows from what they are for few.
func TestForecastOfRegressions(t *testing.T) {
	g := randomNetwork(3, 30, 1).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for _, e := range []ownTimed{LeverageSHAP{}, KernelSHAP{}, KernelSHAP{Paired: true}} {
		est, own, err := e.timed(background, g, attribution.Options{Samples: 400, Workers: 1})
		require.NoError(t, err)
		assert.Positive(t, own)
		assert.Less(t, own, est.Seconds)
		seconds, err := e.ownSeconds(background, g, 400, 1)
		require.NoError(t, err)
		assert.Positive(t, seconds)
	}
	_, own, err := KernelSHAP{Unbiased: true}.timed(background, g, attribution.Options{Samples: 400})
	require.NoError(t, err)
	assert.Zero(t, own)
	assert.Equal(t, 30.0, linearly(2, 10, 4, 14, 12), "a part that is the same for all")
	assert.Equal(t, 42.0, linearly(2, 1, 4, 14, 12), "no steeper than in proportion")
	assert.Equal(t, 21.0, linearly(2, 20, 4, 14, 12), "not falling: a quarter of the proportion")
}

// An estimator's own seconds are forecast separately, and those of the game grow with the cost. Here all seconds of
// the pilot are the estimator's own.
func TestForecastOfAnEstimatorsOwnSeconds(t *testing.T) {
	g := randomTable(9, 3)
	f, err := Predict(background, cubic{}, g, attribution.Options{Samples: 1000}, 0)
	require.NoError(t, err)
	assert.InDelta(t, 1e9, f.Seconds, 1)
	_, err = Predict(background, cubic{}, g, attribution.Options{Samples: 999}, 0)
	assert.ErrorIs(t, err, errBroken)

	r, err := newRun("cubic", g, attribution.Options{Samples: 1000})
	require.NoError(t, err)
	f = attribution.Forecast{Samples: 10, Cost: attribution.Cost{Equivalents: 60}}
	pilot := attribution.Cost{Equivalents: 20, Seconds: 5}
	require.NoError(t, r.addOwnSeconds(background, cubic{}, &f, pilot, 3))
	assert.InDelta(t, 3*(5-3)+1000, f.Seconds, 1e-9, "2 of the pilot's 5 seconds are the game's, of thrice the work")
}

func TestExpectedRounds(t *testing.T) {
	r, err := newRun("some", randomTable(9, 3), attribution.Options{TargetStdErr: 1})
	require.NoError(t, err)
	assert.Equal(t, []int{36, 108, 432, 24}, r.expectedRounds(600), "from 4 times the players on")
	assert.Equal(t, []int{20}, r.expectedRounds(20))
	r.opt.TargetStdErr = 0
	assert.Equal(t, []int{600}, r.expectedRounds(600))
}

// Recommended is forecast as the estimator that it chooses under the same options.
func TestForecastOfTheRecommended(t *testing.T) {
	g := randomNetwork(3, 70, 1).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for _, budget := range []float64{4, 20, 2000} {
		opt := attribution.Options{Budget: budget}
		f, err := Predict(background, Recommended{}, g, opt, 0)
		require.NoError(t, err)
		est, err := Recommended{}.Estimate(background, g, opt)
		require.NoError(t, err)
		assert.InDelta(t, est.Equivalents, f.Equivalents, 0.05*budget, "%v: %s", budget, est.Method)
	}
}
