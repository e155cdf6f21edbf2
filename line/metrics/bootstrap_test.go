package metrics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func normals(rng *rand.Rand, n int, mean float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = mean + rng.NormFloat64()
	}
	return out
}

// TestResampleIsEvaluateOfTheDrawnScores: counting how often each score was drawn gives the metrics of the drawn
// scores.
func TestResampleIsEvaluateOfTheDrawnScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		score := rapid.Map(rapid.IntRange(-8, 8), func(i int) float64 { return float64(i) })
		id := rapid.SliceOfN(score, 1, 60).Draw(t, "id")
		ood := rapid.SliceOfN(score, 1, 60).Draw(t, "ood")
		seed := rapid.Uint64().Draw(t, "seed")

		r, err := rank(id, ood)
		require.NoError(t, err)
		re := newResampler(&r, spread(r.id, r.nID), spread(r.ood, r.nOOD))
		sortedID, sortedOOD := descending(id), descending(ood)
		for b := range 3 {
			got := re.draw(stream(seed, b)).metrics()
			rng := stream(seed, b)
			want, err := Evaluate(pick(rng, sortedID), pick(rng, sortedOOD))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}

func pick(rng *rand.Rand, from []float64) []float64 {
	out := make([]float64, len(from))
	for i := range out {
		out[i] = from[rng.IntN(len(from))]
	}
	return out
}

func TestBootstrapIsDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	id, ood := normals(rng, 300, 1), normals(rng, 100, 0)
	want, err := bootstrap(t.Context(), id, ood, 53, 0.9, 11, 1)
	require.NoError(t, err)
	for _, workers := range []int{2, 3, 16, 100} {
		got, err := bootstrap(t.Context(), id, ood, 53, 0.9, 11, workers)
		require.NoError(t, err)
		assert.Equal(t, want, got, "%d workers", workers)
	}
	slices.Sort(id)
	got, err := Bootstrap(t.Context(), id, ood, 53, 0.9, 11)
	require.NoError(t, err)
	assert.Equal(t, want, got, "the order of the samples must not matter")

	other, err := Bootstrap(t.Context(), id, ood, 53, 0.9, 12)
	require.NoError(t, err)
	assert.NotEqual(t, want, other, "another seed draws other resamples")
}

// TestBootstrapSpreadMatchesDeLong compares the bootstrap's standard error of AUROC with that of DeLong et al.
// (Biometrics 1988) on the same samples.
func TestBootstrapSpreadMatchesDeLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	id, ood := normals(rng, 400, 1), normals(rng, 150, 0)
	got, err := Bootstrap(t.Context(), id, ood, 4000, 0.95, 5)
	require.NoError(t, err)
	won := func(a, b float64) float64 { // 1 if a exceeds b, 1/2 at a tie, 0 otherwise
		return (1 + math.Copysign(1, a-b)*math.Min(1, math.Abs(a-b)*1e300)) / 2
	}
	perID, perOOD := make([]float64, len(id)), make([]float64, len(ood))
	for i, a := range id {
		for j, b := range ood {
			perID[i] += won(a, b) / float64(len(ood))
			perOOD[j] += won(a, b) / float64(len(id))
		}
	}
	se := math.Sqrt(stat.Variance(perID, nil)/float64(len(id)) + stat.Variance(perOOD, nil)/float64(len(ood)))
	// The interval is 1.96 standard errors wide to each side; 4000 resamples leave about 3 % of noise.
	assert.InEpsilon(t, 2*1.96*se, got.AUROC.Hi-got.AUROC.Lo, 0.1)
}

// Intervals at 90 % cover the known AUROC of two normal distributions, Phi(mean / sqrt 2), in about 90 of 100 trials.
func TestBootstrapCoverage(t *testing.T) {
	const trials, mean = 300, 1.0
	truth := 0.5 * math.Erfc(-mean/2)
	covered := 0
	for trial := range trials {
		rng := rand.New(rand.NewPCG(3, uint64(trial)))
		got, err := Bootstrap(t.Context(), normals(rng, 120, mean), normals(rng, 80, 0), 200, 0.9, uint64(trial))
		require.NoError(t, err)
		if got.AUROC.Lo <= truth && truth <= got.AUROC.Hi {
			covered++
		}
	}
	// Binomial(300, 0.9) has a standard deviation of 5.2; the tolerance is four of them.
	assert.InDelta(t, 270, covered, 21)
}

func TestBootstrapContainsTheEstimate(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	id, ood := normals(rng, 1000, 2), normals(rng, 500, 0)
	m, err := Evaluate(id, ood)
	require.NoError(t, err)
	got, err := Bootstrap(t.Context(), id, ood, 400, 0.99, 1)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		value float64
		in    Interval
	}{
		"FPR95": {m.FPR95, got.FPR95}, "OpenOOD": {m.FPR95OpenOOD, got.FPR95OpenOOD}, "AUROC": {m.AUROC, got.AUROC},
		"in": {m.AUPRIn, got.AUPRIn}, "out": {m.AUPROut, got.AUPROut}, "DTERR": {m.DTERR, got.DTERR},
	} {
		assert.Less(t, c.in.Lo, c.value, name)
		assert.Greater(t, c.in.Hi, c.value, name)
	}
}

func TestBootstrapOfOneSampleEach(t *testing.T) {
	got, err := Bootstrap(t.Context(), []float64{1}, []float64{0}, 1, 0.95, 0)
	require.NoError(t, err)
	assert.Equal(t, Interval{1, 1}, got.AUROC)
	assert.Equal(t, Interval{0, 0}, got.FPR95)
}

func TestBootstrapErrors(t *testing.T) {
	one := []float64{1}
	_, err := Bootstrap(t.Context(), one, one, 0, 0.95, 1)
	assert.EqualError(t, err, "metrics: expected at least 1 bootstrap resample, got 0")
	for _, level := range []float64{0, 1, 95, math.NaN()} {
		_, err = Bootstrap(t.Context(), one, one, 10, level, 1)
		assert.ErrorContains(t, err, "expected a confidence level in (0, 1), got")
		_, err = BootstrapAccuracy(t.Context(), []int{1}, []int{1}, 10, level, 1)
		assert.ErrorContains(t, err, "expected a confidence level in (0, 1), got")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Bootstrap(ctx, one, one, 10, 0.95, 1)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = BootstrapAccuracy(ctx, []int{1}, []int{1}, 10, 0.95, 1)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = BootstrapAccuracy(t.Context(), []int{1}, []int{-1}, 10, 0.95, 1)
	assert.ErrorContains(t, err, "expected a known label, got none in 1 samples")
}

// With 320 of 400 right and 100 more unlabelled the interval is 0.8 ± 1.96 sqrt(0.8 0.2 / 400).
func TestBootstrapAccuracy(t *testing.T) {
	predicted, labels := make([]int, 500), make([]int, 500)
	for i := range labels {
		switch {
		case i < 80:
			predicted[i] = 1
		case i >= 400:
			labels[i] = -1
		}
	}
	got, err := BootstrapAccuracy(t.Context(), predicted, labels, 4000, 0.95, 3)
	require.NoError(t, err)
	assert.InDelta(t, 0.8-0.0392, got.Lo, 0.004)
	assert.InDelta(t, 0.8+0.0392, got.Hi, 0.004)
	again, err := BootstrapAccuracy(t.Context(), predicted, labels, 4000, 0.95, 3)
	require.NoError(t, err)
	assert.Equal(t, got, again)
}

func BenchmarkEvaluate(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 6))
	id, ood := normals(rng, 50000, 1), normals(rng, 10000, 0)
	for b.Loop() {
		if _, err := Evaluate(id, ood); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBootstrap(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 6))
	for _, n := range []struct{ id, ood int }{{5000, 500}, {50000, 10000}} {
		id, ood := normals(rng, n.id, 1), normals(rng, n.ood, 0)
		b.Run(fmt.Sprintf("%dx%d,B=1000", n.id, n.ood), func(b *testing.B) {
			for b.Loop() {
				if _, err := Bootstrap(b.Context(), id, ood, 1000, 0.95, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
