package compare

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/quantile"
)

// naiveKendall is τ-b by its definition over all pairs.
func naiveKendall(x, y []float64) float64 {
	var p, q, tx, ty float64
	for i := range x {
		for j := range i {
			switch dx, dy := x[i]-x[j], y[i]-y[j]; {
			case dx == 0 && dy == 0:
			case dx == 0:
				tx++
			case dy == 0:
				ty++
			case dx*dy > 0:
				p++
			default:
				q++
			}
		}
	}
	return (p - q) / math.Sqrt((p+q+tx)*(p+q+ty))
}

func TestKendallMatchesItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "n")
		// Few different values, so that ties of all kinds happen.
		value := rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) })
		x, y := rapid.SliceOfN(value, n, n).Draw(t, "x"), rapid.SliceOfN(value, n, n).Draw(t, "y")
		got, want := KendallTauB(x, y), naiveKendall(x, y)
		if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v, by definition %v", got, want)
		}
		if n > 0 && math.Abs(naiveSpearman(x, y)-Spearman(x, y)) > 1e-12 {
			t.Fatalf("Spearman %v, by definition %v", Spearman(x, y), naiveSpearman(x, y))
		}
	})
}

// naiveSpearman counts ranks: 1 + the number below + half the number of equals.
func naiveSpearman(x, y []float64) float64 {
	rank := func(x []float64) []float64 {
		r := make([]float64, len(x))
		for i := range x {
			r[i] = 1
			for j := range x {
				switch {
				case x[j] < x[i]:
					r[i]++
				case x[j] == x[i] && j != i:
					r[i] += 0.5
				}
			}
		}
		return r
	}
	return pearson(rank(x), rank(y))
}

func TestRankCorrelationsOfSpecialVectors(t *testing.T) {
	nan := math.NaN()
	for name, f := range map[string]func(x, y []float64) float64{"spearman": Spearman, "kendall": KendallTauB} {
		assert.Equal(t, 1.0, f([]float64{1, 2, 3}, []float64{10, 20, 99}), name)
		assert.Equal(t, -1.0, f([]float64{1, 2, 3}, []float64{3, 2, 1}), name)
		assert.True(t, math.IsNaN(f([]float64{1, 1}, []float64{1, 2})), "%s of a constant", name)
		assert.True(t, math.IsNaN(f([]float64{1}, []float64{2})), "%s of one value", name)
		assert.True(t, math.IsNaN(f(nil, nil)), "%s of nothing", name)
		assert.True(t, math.IsNaN(f([]float64{1, nan}, []float64{1, 2})), "%s of NaN", name)
		assert.Panics(t, func() { f([]float64{1}, nil) }, name)
	}
	// scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) = -0.47140452079103173, of its documentation.
	assert.InDelta(t, -0.47140452079103173, KendallTauB([]float64{12, 2, 1, 12, 2}, []float64{1, 4, 7, 1, 0}), 1e-15)
	// scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) = 0.82078268166812329, of its documentation.
	assert.InDelta(t, 0.82078268166812329, Spearman([]float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}), 1e-15)
}

func TestMetricsOfKnownVectors(t *testing.T) {
	truth, est := []float64{3, -1, 0, 2}, []float64{2, 1, 5, 2}
	assert.Equal(t, (1.0+4+25)/4, MeanSquaredError(truth, est))
	assert.Equal(t, (1.0+2+5)/4, MeanAbsoluteError(truth, est))
	assert.Equal(t, 2.0/3, SignAgreement(truth, est), "players without a sign do not count")
	assert.True(t, math.IsNaN(SignAgreement([]float64{0}, []float64{1})))
	assert.Equal(t, 0.5, PrecisionAtK(truth, est, 2))
	assert.Equal(t, []float64{0, 0.5, 1, 1}, OverlapCurve(truth, est))
	assert.Equal(t, []int{1, 4, 3, 0}, estimate.Largest([]float64{math.NaN(), 5, math.NaN(), 3, 5}, 4),
		"ties to the lower index, NaN last")
	assert.Panics(t, func() { estimate.Largest(truth, 5) })
	assert.Panics(t, func() { PrecisionAtK(truth, est, 0) })
	assert.Equal(t, 1.0/3, Jaccard([]bool{true, true, false}, []bool{true, false, true}))
	assert.Equal(t, 1.0, Jaccard([]bool{false}, []bool{false}))
	assert.Panics(t, func() { Jaccard([]bool{true}, nil) })
}

func TestOverlapCurveIsPrecisionAtEveryK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		value := rapid.Map(rapid.IntRange(-3, 3), func(i int) float64 { return float64(i) })
		x, y := rapid.SliceOfN(value, n, n).Draw(t, "x"), rapid.SliceOfN(value, n, n).Draw(t, "y")
		for k, share := range OverlapCurve(x, y) {
			if want := PrecisionAtK(x, y, k+1); share != want {
				t.Fatalf("k=%d: %v, want %v", k+1, share, want)
			}
		}
	})
}

func TestKeptByPercentileCountsTheMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "n")
		p := float64(rapid.IntRange(0, 100).Draw(t, "p"))
		at := float64(n-1) * (p / 100)
		if d := math.Abs(at - math.Round(at)); d > 0 && d < 1e-9 {
			t.Skip("rounding decides")
		}
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(i * 7919 % 10007)
		}
		kept := 0
		threshold, err := quantile.Percentile(x, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range x {
			if v > threshold {
				kept++
			}
		}
		if got := estimate.KeptByPercentile(n, p); got != kept {
			t.Fatalf("n=%d p=%v: %d, the percentile keeps %d", n, p, got, kept)
		}
	})
	assert.Equal(t, 34, estimate.KeptByPercentile(342, 90.1))
	require.Zero(t, estimate.KeptByPercentile(0, 50))
}
