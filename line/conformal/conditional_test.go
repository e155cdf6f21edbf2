package conformal_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/conformal"
)

// crossing is the exact probability that n ordered uniform numbers do not satisfy U_(i) ≤ b_i for all i (Noé 1972).
// The numbers are the points of a Poisson process with n points expected, conditioned on there being n. A recursion
// over the process's count at b_1, b_2, … keeps the paths with at least i points at b_i.
func crossing(b []float64) float64 {
	n := len(b)
	weight := func(mean float64) []float64 {
		w := make([]float64, n+1)
		for k := range w {
			log, _ := math.Lgamma(float64(k + 1))
			w[k] = math.Exp(float64(k)*math.Log(mean) - mean - log)
		}
		if mean == 0 {
			clear(w)
			w[0] = 1
		}
		return w
	}
	paths := make([]float64, n+1)
	paths[0] = 1
	step := func(mean float64, least int) {
		w, next := weight(mean), make([]float64, n+1)
		for have, p := range paths {
			if p == 0 {
				continue
			}
			for k := max(0, least-have); have+k <= n; k++ {
				next[have+k] += p * w[k]
			}
		}
		paths = next
	}
	before := 0.0
	for i, v := range b {
		step(float64(n)*(v-before), i+1)
		before = v
	}
	step(float64(n)*(1-before), n)
	return 1 - paths[n]/weight(float64(n))[n]
}

// TestCrossingKnown tests crossing itself where the answer is known.
func TestCrossingKnown(t *testing.T) {
	require.InDelta(t, 0.3, crossing([]float64{0.7}), 1e-12)
	// P(U_(1) ≤ a, U_(2) ≤ b) = 2ab - a²
	require.InDelta(t, 1-(2*0.5*0.9-0.5*0.5), crossing([]float64{0.5, 0.9}), 1e-12)
	require.InDelta(t, 0, crossing([]float64{1, 1, 1}), 1e-12)
}

// TestConditionalLevelsHold: P(U_(i) ≤ b_i for all i), computed exactly, is at least 1-δ: exactly 1-δ for Simes,
// within the chance of the simulation for MonteCarlo, and only in the limit for Asymptotic.
func TestConditionalLevelsHold(t *testing.T) {
	for _, n := range []int{1, 2, 17, 60, 250} {
		for _, delta := range []float64{0.05, 0.1, 0.3} {
			fails := func(a conformal.Adjustment) float64 {
				levels, err := conformal.Levels(n, a, delta)
				require.NoError(t, err)
				return crossing(levels[:n])
			}
			require.InDelta(t, delta, fails(conformal.Simes), 1e-9, "n %d delta %v", n, delta)
			require.LessOrEqual(t, fails(conformal.DKW), delta, "n %d delta %v", n, delta)
			if n > 1 {
				// four standard errors of a share among 10,000 draws, and the discreteness of one draw
				chance := 4*math.Sqrt(delta*(1-delta)/10_000) + 1e-4
				require.InDelta(t, delta, fails(conformal.MonteCarlo), chance, "n %d delta %v", n, delta)
			}
			if n >= 17 {
				require.LessOrEqual(t, fails(conformal.Asymptotic), delta, "n %d delta %v", n, delta)
				require.Greater(t, fails(conformal.Pointwise), delta, "not for all at once")
			}
		}
	}
}

// TestSmallerOfTwoBoundsFails: the published Monte Carlo adjustment takes the smaller of the Simes bounds and bounds
// of the asymptotic shape at the same δ. Simes alone fails with probability δ, so that the minimum fails with a
// larger probability where the other bounds are smaller.
func TestSmallerOfTwoBoundsFails(t *testing.T) {
	const n, delta = 200, 0.1
	simes, err := conformal.Levels(n, conformal.Simes, delta)
	require.NoError(t, err)
	// their search finds such a corrected δ; it is smaller than δ
	other, err := conformal.Levels(n, conformal.Asymptotic, 0.04)
	require.NoError(t, err)
	both := make([]float64, n)
	for i := range both {
		both[i] = min(simes[i], other[i])
	}
	require.NotEqual(t, simes[:n], both)
	require.Greater(t, crossing(both), delta+1e-3)
}

func TestLevelsEdges(t *testing.T) {
	for _, a := range []conformal.Adjustment{conformal.Marginal, conformal.Simes, conformal.DKW, conformal.Asymptotic,
		conformal.MonteCarlo, conformal.Pointwise} {
		for _, n := range []int{1, 2, 3, 17, 200} {
			for _, delta := range []float64{1e-9, 0.5, 0.999} {
				levels, err := conformal.Levels(n, a, delta)
				if a == conformal.Asymptotic && n < 17 {
					require.ErrorContains(t, err,
						"expected at least 17 calibration samples for the asymptotic adjustment, got")
					continue
				}
				require.NoError(t, err)
				require.Len(t, levels, n+1)
				require.Equal(t, 1.0, levels[n])
				for i := range n {
					require.True(t, levels[i] <= levels[i+1], "%s n %d delta %v at %d: %v", a, n, delta, i, levels)
				}
				again, err := conformal.Levels(n, a, delta)
				require.NoError(t, err)
				require.Equal(t, levels, again)
			}
		}
		name, err := conformal.ParseAdjustment(a.String())
		require.NoError(t, err)
		require.Equal(t, a, name)
	}
	_, err := conformal.Levels(0, conformal.Marginal, 0)
	require.ErrorContains(t, err, "expected at least one calibration score")
	for _, delta := range []float64{0, 1, math.NaN()} {
		_, err := conformal.Levels(9, conformal.Simes, delta)
		require.ErrorContains(t, err, "expected a probability δ between 0 and 1")
	}
	_, err = conformal.Levels(9, conformal.Adjustment(77), 0.1)
	require.ErrorContains(t, err, "unknown adjustment 77")
	_, err = conformal.ParseAdjustment("bonferroni")
	require.EqualError(t, err,
		`conformal: expected an adjustment of marginal, simes, dkw, asymptotic, monte-carlo, pointwise, got `+
			`"bonferroni"`)
}

// TestConditionalThreshold: among the adjustments the pointwise one gives the highest threshold that keeps the rate
// with probability 1-δ. Its rank is the largest k with P(Beta(k, n+1-k) ≤ α) ≥ 1-δ.
func TestConditionalThreshold(t *testing.T) {
	const n, alpha, delta = 1000, 0.05, 0.1
	c := calibration(t, shuffled(n, 1)...)
	rank := func(a conformal.Adjustment) int {
		adjusted, err := c.Conditional(a, delta)
		require.NoError(t, err)
		th, err := adjusted.Threshold(alpha)
		require.NoError(t, err)
		require.Equal(t, float64(th.Rank-1), th.Score)
		gotA, gotDelta := adjusted.Adjustment()
		require.Equal(t, a, gotA)
		require.Equal(t, map[bool]float64{true: 0, false: delta}[a == conformal.Marginal], gotDelta)
		for _, s := range []float64{th.Score - 1, th.Score, th.Score + 1} {
			require.Equal(t, adjusted.PValue(s) <= alpha, th.OOD(s))
		}
		return th.Rank
	}
	require.Equal(t, 50, rank(conformal.Marginal))
	pointwise := rank(conformal.Pointwise)
	held := func(k int) bool {
		b, err := conformal.Threshold{Rank: k, N: n}.Bound(delta)
		require.NoError(t, err)
		return b <= alpha
	}
	require.True(t, held(pointwise))
	require.False(t, held(pointwise+1))
	for _, a := range []conformal.Adjustment{conformal.Simes, conformal.DKW, conformal.Asymptotic,
		conformal.MonteCarlo} {
		require.Less(t, rank(a), pointwise, a)
	}
}
