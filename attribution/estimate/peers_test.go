package estimate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// The variance of a mean is s²/N, not s²/sqrt(N).
func TestVarianceOfAMeanIsDividedByN(t *testing.T) {
	m := sampling.NewMoments(1)
	for _, v := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		m.Add([]float64{v})
	}
	// Mean 5, squared deviations 32, sample variance 32/7, variance of the mean 32/7/8.
	assert.InDelta(t, math.Sqrt(32.0/7/8), m.StandardError(0), 1e-15)

	g := randomTable(5, 1)
	few, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 1000})
	require.NoError(t, err)
	many, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 100000})
	require.NoError(t, err)
	for i := range few.StdErr {
		assert.InDelta(t, 0.1, many.StdErr[i]/few.StdErr[i], 0.01,
			"a hundred times the samples, a tenth of the standard error")
	}
}

// Sampling is seeded: the same seed gives the same bits, another seed another estimate.
func TestSamplingIsSeeded(t *testing.T) {
	g := randomTable(6, 2)
	for _, e := range append(samplers(), TopK{K: 2}) {
		opt := attribution.Options{Budget: 700, Seed: 5}
		if _, ok := e.(LeverageSHAP); ok {
			opt = attribution.Options{Samples: 20, Seed: 5}
		}
		a, err := e.Estimate(background, g, opt)
		require.NoError(t, err, e.Name())
		b, err := e.Estimate(background, g, opt)
		require.NoError(t, err)
		assert.Equal(t, a.Values, b.Values, e.Name())
		assert.Equal(t, a.StdErr, b.StdErr, e.Name())
		opt.Seed = 6
		c, err := e.Estimate(background, g, opt)
		require.NoError(t, err)
		assert.NotEqual(t, a.Values, c.Values, e.Name())
	}
}

// The number of samples is the number asked for, and the reported cost is what the game was asked for.
func TestSampleCountIsTheOneAskedFor(t *testing.T) {
	const n = 7
	perSample := map[string]int{
		"permutation": n - 1, "antithetic": 2 * (n - 1), "permutation-rotated-3": 3 * (n - 1),
		"antithetic-rotated-2": 4 * (n - 1),
		"stratified":           2 * n * n, "stratified-optimal-2": 2 * n * 2, "owen": 2 * (n + 1),
		"owen-halved": 4 * (n + 1), "owen-5": 5 * (n + 1),
		"kernelshap": 1, "kernelshap-paired": 2, "kernelshap-unbiased": 1, "kernelshap-paired-unbiased": 2,
		"leverageshap": 2,
		"svarm":        2, "svarm-stratified": 1,
	}
	for _, e := range samplers() {
		for _, samples := range []int{17, 33, 50} {
			g := &counting{Game: plain{randomTable(n, 3)}}
			est, err := e.Estimate(background, g, attribution.Options{Samples: samples})
			require.NoError(t, err, e.Name())
			assert.Equal(t, samples, est.Samples, e.Name())
			assert.Equal(t, attribution.StopSamples, est.Stopped)
			assert.Equal(t, g.rows.Load(), est.Evaluations, e.Name())
			assert.Equal(t, float64(est.Evaluations), est.Forwards)
			warm := 0
			switch e {
			case SVARM{}:
				warm = 2 * n
			case SVARM{Stratified: true}:
				warm = 2 * n
				for s := 2; s <= n-2; s++ {
					warm += (n-1)/s + 1 + (n-1)/(n-s) + 1
				}
			}
			assert.EqualValues(t, 2+warm+samples*perSample[e.Name()], est.Evaluations,
				"%s: v(∅), v(N), warm-up, samples", e.Name())
		}
	}
}

// A budget is never exceeded, and less than one more sample would have fitted it.
func TestBudgetIsKept(t *testing.T) {
	for _, e := range append(samplers(), TopK{K: 3}, Owen{Trapezoid: true, Levels: 3}) {
		for _, budget := range []float64{150, 311, 1000} {
			g := &counting{Game: randomTable(7, 3)}
			est, err := e.Estimate(background, g, attribution.Options{Budget: budget})
			if err != nil {
				require.ErrorIs(t, err, attribution.ErrBudget, e.Name())
				continue
			}
			assert.LessOrEqual(t, float64(g.rows.Load()), budget, e.Name())
			assert.EqualValues(t, g.rows.Load(), est.Equivalents, e.Name())
			if est.Stopped == attribution.StopBudget {
				assert.Greater(t, est.Equivalents, budget-2*7*8, e.Name())
			}
		}
	}
}

// KernelSHAP does not select features: in a game of many small contributions it sets none to zero, and its values are
// right.
func TestKernelSHAPDoesNotSparsify(t *testing.T) {
	const n = 40
	want := make([]float64, n)
	for i := range want {
		want[i] = 1e-3 * float64(1+i%7)
	}
	want[0] = 10
	g := games.Func(n, func(c attribution.Coalition) float64 {
		v := 0.0
		for _, i := range c.AppendMembers(nil) {
			v += want[i]
		}
		return v
	})
	for _, e := range []attribution.Estimator{KernelSHAP{}, KernelSHAP{Paired: true}, LeverageSHAP{}} {
		est, err := e.Estimate(background, g, attribution.Options{Samples: 400})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want, est.Values, 1e-9, "%s: a linear game is recovered to rounding", e.Name())
	}
}
