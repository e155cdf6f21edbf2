package conformal_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/conformal"
)

func calibration(t testing.TB, scores ...float64) *conformal.Calibration {
	t.Helper()
	c, err := conformal.New(scores)
	require.NoError(t, err)
	return c
}

// drawScores draws scores with many ties and a few infinities.
func drawScores(t *rapid.T, most int) []float64 {
	inf := math.Inf(1)
	value := rapid.OneOf(rapid.SampledFrom([]float64{-inf, -1, math.Copysign(0, -1), 0, 1, inf}),
		rapid.Float64Range(-2, 2))
	return rapid.SliceOfN(value, 1, most).Draw(t, "scores")
}

// TestPValueIsTheFormula compares with scores counted one by one.
func TestPValueIsTheFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := drawScores(t, 40)
		c, err := conformal.New(scores)
		require.NoError(t, err)
		require.Equal(t, len(scores), c.N())
		s := rapid.OneOf(rapid.SampledFrom(scores), rapid.Float64Range(-3, 3)).Draw(t, "new")
		u := rapid.Float64Range(1e-9, 1).Draw(t, "u")
		atOrBelow, below := 0, 0
		for _, v := range scores {
			if v <= s {
				atOrBelow++
			}
			if v < s {
				below++
			}
		}
		n := float64(len(scores))
		require.Equal(t, (1+float64(atOrBelow))/(n+1), c.PValue(s))
		require.Equal(t, []float64{c.PValue(s)}, c.PValues([]float64{s}))
		randomised := c.RandomisedPValue(s, u)
		require.InDelta(t, (float64(below)+u*float64(1+atOrBelow-below))/(n+1), randomised, 1e-15)
		require.LessOrEqual(t, randomised, c.PValue(s), "the conservative one is the largest of them")
		require.Positive(t, randomised)
		require.Equal(t, c.PValue(s), c.RandomisedPValue(s, 1))
	})
}

// TestExactlyUniformRank: each of n+1 distinct scores is the new one in turn, and every p-value k/(n+1) occurs once.
func TestExactlyUniformRank(t *testing.T) {
	all := []float64{3, 1, 4, 15, 9, 2, 6}
	seen := map[float64]int{}
	for i := range all {
		rest := append(append([]float64{}, all[:i]...), all[i+1:]...)
		seen[calibration(t, rest...).PValue(all[i])]++
	}
	for k := 1; k <= len(all); k++ {
		require.Equal(t, 1, seen[float64(k)/float64(len(all))], "rank %d", k)
	}
}

func TestCalibrationEdges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	_, err := conformal.New(nil)
	require.EqualError(t, err, "conformal: expected at least one calibration score, got none")
	_, err = conformal.New([]float64{1, nan})
	require.EqualError(t, err, "conformal: calibration score 1 is NaN")

	one := calibration(t, 5)
	require.Equal(t, 0.5, one.PValue(4))
	require.Equal(t, 1.0, one.PValue(5), "a tie is at least as extreme")
	require.Equal(t, 1.0, one.PValue(6))
	require.Equal(t, 0.5, one.PValue(nan), "NaN is the lowest of all")

	same := calibration(t, 7, 7, 7, 7)
	require.Equal(t, 0.2, same.PValue(6.999))
	require.Equal(t, 1.0, same.PValue(7))
	require.Equal(t, 1, same.Distinct())

	zeros := calibration(t, math.Copysign(0, -1), 0, 1, inf, -inf)
	require.Equal(t, 4, zeros.Distinct())
	require.Equal(t, zeros.PValue(0), zeros.PValue(math.Copysign(0, -1)))
	require.Equal(t, 2.0/6, zeros.PValue(-inf))
	require.Equal(t, 1.0, zeros.PValue(inf))

	scores := []float64{2, 1}
	c := calibration(t, scores...)
	scores[0] = -9
	require.Equal(t, []float64{1, 2}, c.Scores())
	c.Scores()[0] = 9
	require.Equal(t, []float64{1, 2}, c.Scores(), "a copy")
}

// TestUniform: numbers lie in (0, 1], depend on seed and index alone, and are spread evenly.
func TestUniform(t *testing.T) {
	sum, n := 0.0, 10_000
	for i := range n {
		u := conformal.Uniform(3, uint64(i))
		require.True(t, u > 0 && u <= 1)
		require.Equal(t, u, conformal.Uniform(3, uint64(i)))
		require.NotEqual(t, u, conformal.Uniform(4, uint64(i)))
		sum += u
	}
	require.InDelta(t, 0.5, sum/float64(n), 4/math.Sqrt(12*float64(n)))
}

func TestThresholdIsTheOrderStatistic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := drawScores(t, 60)
		c, err := conformal.New(scores)
		require.NoError(t, err)
		n := len(scores)
		hundredths := rapid.IntRange(1, 99).Draw(t, "alpha in hundredths")
		alpha := float64(hundredths) / 100
		got, err := c.Threshold(alpha)
		rank := (n + 1) * hundredths / 100 // computed exactly, in whole numbers
		if rank == 0 {
			var few *conformal.TooFewError
			require.ErrorAs(t, err, &few)
			require.Equal(t, (100+hundredths-1)/hundredths-1, few.Need)
			require.Equal(t, n, few.N)
			return
		}
		require.NoError(t, err)
		// the ⌈(n+1)(1-α)⌉-th smallest nonconformity score, which is the negative score
		require.Equal(t, n+1-((n+1)*(100-hundredths)+99)/100, rank)
		require.Equal(t, conformal.Threshold{Score: c.Scores()[rank-1], Alpha: alpha, Rank: rank, N: n}, got)
		for _, s := range append(scores, -1.5, 0.25, math.NaN()) {
			require.Equal(t, c.PValue(s) <= alpha, got.OOD(s), "score %v", s)
		}
	})
}

func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		alpha float64
		a     conformal.Adjustment
		delta float64
		want  int
	}{
		{0.05, conformal.Marginal, 0, 19}, {0.01, conformal.Marginal, 0, 99}, {0.07, conformal.Marginal, 0, 14},
		{0.5, conformal.Marginal, 0, 1},
		{0.29, conformal.Marginal, 0, 3}, {0.9, conformal.Marginal, 0, 1}, {1e-6, conformal.Marginal, 0, 999_999},
		// log δ / log(1-α) = 44.9 and 298.07
		{0.05, conformal.Pointwise, 0.1, 45}, {0.01, conformal.Pointwise, 0.05, 299},
	} {
		got, err := conformal.RequiredSamples(c.alpha, c.a, c.delta)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c)
	}
	for _, a := range []conformal.Adjustment{conformal.Marginal, conformal.Simes, conformal.DKW, conformal.Asymptotic,
		conformal.MonteCarlo, conformal.Pointwise} {
		need, err := conformal.RequiredSamples(0.08, a, 0.2)
		require.NoError(t, err)
		few := func(n int) error {
			c, err := calibration(t, make([]float64, n)...).Conditional(a, 0.2)
			if err != nil {
				return err
			}
			_, err = c.Threshold(0.08)
			return err
		}
		require.NoError(t, few(need), a)
		if a != conformal.MonteCarlo { // for MonteCarlo the required number suffices, and may be larger than necessary
			require.Error(t, few(need-1), a)
		}
	}
	_, err := conformal.RequiredSamples(1e-12, conformal.Marginal, 0)
	require.ErrorContains(t, err, "too low")
}

func TestThresholdRefuses(t *testing.T) {
	c := calibration(t, 1, 2, 3)
	for _, alpha := range []float64{0, 1, -0.1, math.NaN(), math.Inf(1)} {
		_, err := c.Threshold(alpha)
		require.ErrorContains(t, err, "conformal: expected a rate between 0 and 1, got ")
	}
	_, err := c.Threshold(0.05)
	require.EqualError(t, err, "conformal: a false-alarm rate of 0.05: expected at least 19 calibration samples, got 3")
	adjusted, err := c.Conditional(conformal.Simes, 0.1)
	require.NoError(t, err)
	_, err = adjusted.Threshold(0.05)
	require.EqualError(t, err,
		"conformal: a false-alarm rate of 0.05 with probability 0.9 (simes): expected at least 90 calibration "+
			"samples, got 3")
	th, err := c.Threshold(0.25)
	require.NoError(t, err)
	for _, delta := range []float64{0, 1, math.NaN()} {
		_, err := th.Bound(delta)
		require.ErrorContains(t, err, "expected a probability δ between 0 and 1")
		_, _, err = th.Interval(delta)
		require.ErrorContains(t, err, "expected a probability δ between 0 and 1")
	}
	bound, err := th.Bound(0.1)
	require.NoError(t, err)
	require.InDelta(t, 1-math.Cbrt(0.1), bound, 1e-12, "the smallest of three uniform numbers")
}

// shuffled returns a permutation of 0..n-1 as scores.
func shuffled(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := make([]float64, n)
	for i, v := range rng.Perm(n) {
		out[i] = float64(v)
	}
	return out
}
