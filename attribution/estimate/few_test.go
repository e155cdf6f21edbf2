package estimate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// A run without a target standard error must not report that it reached one, even where all standard errors are zero.
func TestStopsWithoutATarget(t *testing.T) {
	g := randomNetwork(3, 20, 1).game(t, games.PenultimateOptions{})
	for _, e := range []attribution.Estimator{LeverageSHAP{}, Stratified{Optimal: true}, CoalitionGradients{},
		KernelSHAP{}, Permutation{}, SVARM{}} {
		got, err := e.Estimate(background, g, attribution.Options{Budget: 3000})
		require.NoError(t, err)
		assert.Equal(t, attribution.StopBudget, got.Stopped, e.Name())
	}
}

// With fewer samples than intervals need, there are no intervals.
func TestTooFewSamplesHaveNoIntervals(t *testing.T) {
	g := randomNetwork(3, 20, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	for _, c := range []struct {
		e     attribution.Estimator
		least int
	}{{Permutation{}, leastUnits}, {CoalitionGradients{Unbiased: true}, leastGradientSamples},
		{LeverageSHAP{}, 19 + leastFree}, {KernelSHAP{}, 20 * leastPerPlayer}, {ProxyAdjusted{}, leastUnits}} {
		few, err := c.e.Estimate(background, g, attribution.Options{Samples: c.least - 1})
		require.NoError(t, err)
		assert.True(t, few.TooFew())
		lo, hi := few.Interval(0, 0.95)
		assert.True(t, lo != lo && hi != hi, "%s: got [%v, %v]", c.e.Name(), lo, hi)
		enough, err := c.e.Estimate(background, g, attribution.Options{Samples: c.least})
		require.NoError(t, err)
		assert.False(t, enough.TooFew())
		lo, hi = enough.Interval(0, 0.95)
		assert.Less(t, lo, hi)
	}
	ranked, err := TopK{K: 3}.Estimate(background, g, attribution.Options{Samples: 1000})
	require.NoError(t, err)
	assert.True(t, ranked.TooFew(), "sampling stops where estimates are large")
}
