package estimate

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

func TestLeverageQuotas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 300).Draw(t, "players")
		pairs := rapid.IntRange(1, min(pairCount(n), 5000)).Draw(t, "pairs")
		quota := leverageQuota(n, pairs)
		total := 0.0
		for i, q := range quota {
			total += q
			if q > sampling.ClassPairs(n, i+1)*(1+1e-12) || q <= 0 {
				t.Fatalf("size %d has %v pairs, the quota is %v", i+1, sampling.ClassPairs(n, i+1), q)
			}
		}
		if math.Abs(total-float64(pairs)) > 1e-6 {
			t.Fatalf("quotas sum to %v, want %d", total, pairs)
		}
		counts := roundSystematically(testRNG(rapid.Uint64().Draw(t, "seed")), quota, pairs)
		sum := 0
		for i, c := range counts {
			sum += c
			if float64(c) < math.Floor(quota[i]) || float64(c) > math.Ceil(quota[i]) {
				t.Fatalf("size %d: %d pairs for the quota %v", i+1, c, quota[i])
			}
		}
		if sum != pairs {
			t.Fatalf("%d pairs, want %d", sum, pairs)
		}
	})
}

func TestSystematicRoundingKeepsExpectations(t *testing.T) {
	quota := []float64{0.3, 2.5, 0.7, 1.25, 0.25}
	counts := make([]float64, len(quota))
	const draws = 20000
	for seed := range uint64(draws) {
		for i, c := range roundSystematically(testRNG(seed), quota, 5) {
			counts[i] += float64(c) / draws
		}
	}
	assert.InDeltaSlice(t, quota, counts, 5*0.5/math.Sqrt(draws))
}

// All pairs make LeverageSHAP exact; so does the kernel's weighted regression over all coalitions (Lundberg and Lee
// 2017, theorem 2).
func TestLeverageSHAPWithAllPairsIsExact(t *testing.T) {
	for n := 2; n <= 11; n++ {
		g := randomTable(n, uint64(n))
		est, err := LeverageSHAP{}.Estimate(background, g, attribution.Options{Samples: pairCount(n)})
		require.NoError(t, err)
		assert.InDeltaSlice(t, exactly(t, g), est.Values, 1e-9, "%d players", n)
		assert.Equal(t, attribution.StopExact, est.Stopped)
		assert.Nil(t, est.DF)
		assert.EqualValues(t, 1<<n, est.Evaluations)
	}
}

func TestRankDeficientRegressionIsAnError(t *testing.T) {
	q := &sampling.Regression{N: 4, Rows: attribution.NewCoalitions(4, 5), Target: make([]float64, 5)}
	for r := range 5 {
		q.Rows.Row(r).Add(0)
	}
	_, _, err := q.Solve(background, 1)
	assert.ErrorIs(t, err, attribution.ErrBudget)
	assert.ErrorContains(t, err, "5 coalitions do not determine the values of 4 players")
}

// A regression with too few rows is refused with an error that names the smallest number, and with that number it
// succeeds.
func TestRegressionsNeedMoreRowsThanUnknowns(t *testing.T) {
	g := randomNetwork(3, 81, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	truth, err := Permutation{Antithetic: true}.Estimate(background, g, attribution.Options{Samples: 3000})
	require.NoError(t, err)
	for _, c := range []struct {
		e    attribution.Estimator
		need float64
	}{{KernelSHAP{}, 102}, {KernelSHAP{Paired: true}, 202}, {LeverageSHAP{}, 202}} {
		_, err := c.e.Estimate(background, g, attribution.Options{Budget: c.need - 1})
		require.ErrorIs(t, err, attribution.ErrBudget, c.e.Name())
		for seed := range uint64(5) {
			got, err := c.e.Estimate(background, g, attribution.Options{Budget: c.need, Seed: seed})
			require.NoError(t, err, c.e.Name())
			assert.Less(t, meanSquaredError(truth.Values, got.Values), 4*meanSquaredError(truth.Values,
				make([]float64, 81)), c.e.Name())
		}
	}
}

// Values so large that sums of them overflow are an error, not NaN.
func TestRegressionsReportOverflow(t *testing.T) {
	v := make([]float64, 1<<6)
	for i := range v {
		v[i] = float64(1-i%3) * 1.5e308
	}
	g, err := games.NewTable(v)
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{KernelSHAP{}, KernelSHAP{Paired: true}, LeverageSHAP{}} {
		_, err := e.Estimate(background, g, attribution.Options{Samples: 20})
		assert.ErrorIs(t, err, attribution.ErrNotFinite, e.Name())
	}
}
