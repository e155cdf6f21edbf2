package conformal_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/conformal"
)

// drawP draws p-values on the grid k/20.
func drawP(t *rapid.T) []float64 {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
		return float64(rapid.IntRange(0, 20).Draw(t, "twentieths")) / 20
	}), 0, 25).Draw(t, "p")
}

// literalStepUp tries every number of rejections, from all p-values downwards.
func literalStepUp(p []float64, alpha float64) []bool {
	m := len(p)
	for k := m; k > 0; k-- {
		limit := float64(k) * alpha / float64(m) * (1 + 1e-9)
		n := 0
		for _, v := range p {
			if v <= limit {
				n++
			}
		}
		if n >= k {
			out := make([]bool, m)
			for i, v := range p {
				out[i] = v <= limit
			}
			return out
		}
	}
	return make([]bool, m)
}

func TestBatchIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawP(t)
		alpha := rapid.SampledFrom([]float64{0.05, 0.1, 0.2, 0.5}).Draw(t, "alpha")
		lambda := rapid.SampledFrom([]float64{0.25, 0.5, 0.8}).Draw(t, "lambda")
		before := slices.Clone(p)

		bh, err := conformal.BenjaminiHochberg(p, alpha)
		require.NoError(t, err)
		require.Equal(t, literalStepUp(p, alpha), bh)

		harmonic := 0.0
		for i := range p {
			harmonic += 1 / float64(i+1)
		}
		by, err := conformal.BenjaminiYekutieli(p, alpha)
		require.NoError(t, err)
		require.Equal(t, literalStepUp(p, alpha/harmonic), by)

		above := 0
		for _, v := range p {
			if v > lambda {
				above++
			}
		}
		storey, err := conformal.Storey(p, alpha, lambda)
		require.NoError(t, err)
		want := literalStepUp(p, alpha*float64(len(p))*(1-lambda)/float64(1+above))
		for i := range want {
			want[i] = want[i] && p[i] <= lambda
			require.LessOrEqual(t, b2i(by[i]), b2i(bh[i]), "the one for any dependence rejects no more")
		}
		require.Equal(t, want, storey)
		require.Equal(t, before, p, "not written to")
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestEqualButForRounding: p-values that equal their limit in exact arithmetic are rejected, however both are
// rounded.
func TestEqualButForRounding(t *testing.T) {
	for m := 1; m <= 200; m++ {
		for _, alpha := range []float64{0.05, 0.1, 0.07} {
			p := make([]float64, m)
			for i := range p {
				p[i] = 1
			}
			p[m/2] = alpha / float64(m)
			got, err := conformal.BenjaminiHochberg(p, alpha)
			require.NoError(t, err)
			require.True(t, got[m/2], "m %d alpha %v", m, alpha)
		}
	}
}

// TestStoreyIsNotCutOff plays three uniform p-values at level 0.05 with λ 0.5. The false discovery rate is the
// probability of a rejection: 1/8·0.15 + 3/8·0.05 + 3/8·0.05/3 = 0.04375, summed over the number of p-values above λ.
// With the estimate cut off at 1 it would be 1/8·0.15 + 3/8·0.2/3 + 3/8·0.1/3 = 0.05625. The tolerance is four
// standard errors of the simulated share.
func TestStoreyIsNotCutOff(t *testing.T) {
	const draws, alpha, lambda = 60_000, 0.05, 0.5
	rng := rand.New(rand.NewPCG(5, 5))
	ours, cut := 0, 0
	for range draws {
		p := []float64{rng.Float64(), rng.Float64(), rng.Float64()}
		r, err := conformal.Storey(p, alpha, lambda)
		require.NoError(t, err)
		ours += b2i(slices.Contains(r, true))
		above := b2i(p[0] > lambda) + b2i(p[1] > lambda) + b2i(p[2] > lambda)
		cut += b2i(slices.Contains(literalStepUp(p, alpha/min(1, float64(1+above)/1.5)), true))
	}
	error4 := 4 * math.Sqrt(0.05*0.95/draws)
	require.InDelta(t, 0.04375, float64(ours)/draws, error4)
	require.InDelta(t, 0.05625, float64(cut)/draws, error4)
	require.Greater(t, float64(cut)/draws, alpha+error4/2)
}

func TestBatchRefuses(t *testing.T) {
	for name, f := range map[string]func(p []float64, alpha float64) ([]bool, error){
		"bh": conformal.BenjaminiHochberg, "by": conformal.BenjaminiYekutieli,
		"storey": func(p []float64, alpha float64) ([]bool, error) { return conformal.Storey(p, alpha, 0.5) },
	} {
		got, err := f(nil, 0.1)
		require.NoError(t, err, name)
		require.Empty(t, got)
		for _, bad := range []float64{-0.1, 1.1, math.NaN()} {
			_, err := f([]float64{0.5, bad}, 0.1)
			require.ErrorContains(t, err, "conformal: sample 1: expected a p-value in [0, 1], got ", name)
		}
		_, err = f([]float64{0.5}, 0)
		require.ErrorContains(t, err, "expected a rate between 0 and 1, got 0", name)
	}
	for _, lambda := range []float64{0, 1, math.NaN()} {
		_, err := conformal.Storey([]float64{0.5}, 0.1, lambda)
		require.ErrorContains(t, err, "expected λ between 0 and 1")
	}
}
