package metrics_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/metrics"
)

func TestPermutationInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		want := evaluate(t, id, ood)
		got := evaluate(t, rapid.Permutation(id).Draw(t, "ids"), rapid.Permutation(ood).Draw(t, "oods"))
		require.Equal(t, want, got)
	})
}

func TestMonotoneTransformInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		want := evaluate(t, id, ood)
		// Replacing a score by its rank among the distinct scores is a monotone but far from linear transform.
		distinct := slices.Compact(slices.Sorted(slices.Values(slices.Concat(id, ood))))
		transform := func(scores []float64) []float64 {
			out := make([]float64, len(scores))
			for i, s := range scores {
				out[i] = float64(slices.Index(distinct, s))
			}
			return out
		}
		require.Equal(t, want, evaluate(t, transform(id), transform(ood)))
	})
}

// Exchanging the sets and negating the scores exchanges ID and OOD.
func TestSwapSymmetry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		m, swapped := evaluate(t, id, ood), evaluate(t, negated(ood), negated(id))
		require.Equal(t, m.AUROC, swapped.AUROC)
		require.Equal(t, m.DTERR, swapped.DTERR)
		require.Equal(t, m.AUPRIn, swapped.AUPROut)
		require.Equal(t, m.AUPROut, swapped.AUPRIn)
		exchanged := evaluate(t, ood, id)
		require.InDelta(t, 1, m.AUROC+exchanged.AUROC, 1e-15)
	})
}

func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		m := evaluate(t, id, ood)
		for _, v := range []float64{m.FPR95, m.FPR95OpenOOD, m.AUROC, m.AUPRIn, m.AUPROut, 2 * m.DTERR} {
			require.GreaterOrEqual(t, v, 0.0)
			require.LessOrEqual(t, v, 1.0)
		}
	})
}

func TestSeparatedSets(t *testing.T) {
	best := metrics.Metrics{AUROC: 1, AUPRIn: 1, AUPROut: 1}
	assert.Equal(t, best, evaluate(t, []float64{1}, []float64{0}))
	assert.Equal(t, best, evaluate(t, []float64{math.Inf(1), 3, 2}, []float64{1, math.Inf(-1)}))
}

// If all scores are equal, none lies strictly above the threshold, and no threshold flags only some samples.
func TestAllTied(t *testing.T) {
	got := evaluate(t, []float64{5, 5, 5}, []float64{5})
	assert.Equal(t, metrics.Metrics{
		FPR95: 0, FPR95OpenOOD: 1, AUROC: 0.5, AUPRIn: 0.75, AUPROut: 0.25, DTERR: 0.5,
	}, got)
	assert.Equal(t, 0.5, evaluate(t, []float64{0}, []float64{math.Copysign(0, -1)}).AUROC, "-0 and 0 tie")
}

// The indices are those of round(0.05 * n) in Python.
func TestThreshold95RoundsHalfToEven(t *testing.T) {
	for n, index := range map[int]int{1: 0, 9: 0, 10: 0, 11: 1, 29: 1, 30: 2, 50: 2, 51: 3, 70: 4, 90: 4, 110: 6,
		5000: 250} {
		id := make([]float64, n)
		for i := range id {
			id[i] = float64(n - 1 - i)
		}
		got, err := metrics.Threshold95(id)
		require.NoError(t, err)
		assert.Equal(t, float64(index), got, "n = %d", n)
	}
	_, err := metrics.Threshold95(nil)
	assert.EqualError(t, err, "metrics: expected scores of the ID set, got none")
}

func TestErrorsNameTheSet(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		id, ood []float64
		want    string
	}{
		{nil, []float64{1}, "metrics: expected scores of the ID set, got none"},
		{[]float64{1}, []float64{}, "metrics: expected scores of the OOD set, got none"},
		{[]float64{1, nan, nan}, []float64{1}, "metrics: ID score 1 of 3 is NaN"},
		{[]float64{1}, []float64{nan}, "metrics: OOD score 0 of 1 is NaN"},
	} {
		for _, f := range []func(id, ood []float64) (float64, error){
			metrics.FPR95, metrics.FPR95OpenOOD, metrics.AUROC,
			metrics.AUPRIn, metrics.AUPROut, metrics.DetectionError,
		} {
			_, err := f(c.id, c.ood)
			assert.EqualError(t, err, c.want)
		}
		_, err := metrics.Evaluate(c.id, c.ood)
		assert.EqualError(t, err, c.want)
		_, err = metrics.ROC(c.id, c.ood)
		assert.EqualError(t, err, c.want)
		_, err = metrics.NewHistogram(c.id, c.ood, 10, 0)
		assert.EqualError(t, err, c.want)
		_, err = metrics.Bootstrap(t.Context(), c.id, c.ood, 10, 0.9, 1)
		assert.EqualError(t, err, c.want)
	}
}

func TestAccuracy(t *testing.T) {
	got, err := metrics.Accuracy([]int{1, 2, 0, 3, -1}, []int{1, 0, 0, -1, -1})
	require.NoError(t, err)
	assert.Equal(t, 2.0/3, got)

	_, err = metrics.Accuracy([]int{1}, []int{1, 2})
	assert.EqualError(t, err, "metrics: expected a prediction for each of 2 labels, got 1")
	_, err = metrics.Accuracy([]int{1, 0}, []int{-1, -1})
	assert.ErrorContains(t, err, "expected a known label, got none in 2 samples")
	_, err = metrics.Accuracy(nil, nil)
	assert.ErrorContains(t, err, "expected a known label, got none in 0 samples")
}

func TestROC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		points, err := metrics.ROC(id, ood)
		require.NoError(t, err)
		require.Equal(t, metrics.Point{Threshold: math.Inf(1)}, points[0])
		require.Equal(t, 1.0, points[len(points)-1].FPR)
		require.Equal(t, 1.0, points[len(points)-1].TPR)
		var area float64
		for i, p := range points[1:] {
			q := points[i]
			require.True(t, p.FPR > q.FPR || p.TPR > q.TPR, "each score adds a sample")
			require.LessOrEqual(t, p.Threshold, q.Threshold)
			require.Equal(t, share(id, func(s float64) bool { return s >= p.Threshold }), p.TPR)
			require.Equal(t, share(ood, func(s float64) bool { return s >= p.Threshold }), p.FPR)
			area += (p.FPR - q.FPR) * (p.TPR + q.TPR) / 2
		}
		require.InDelta(t, naiveAUROC(id, ood), area, 1e-12)
	})
}

func TestHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, ood := drawSets(t)
		finite := func(s float64) bool { return !math.IsInf(s, 0) }
		if !slices.ContainsFunc(id, finite) || !slices.ContainsFunc(ood, finite) {
			return
		}
		bins := rapid.IntRange(1, 30).Draw(t, "bins")
		tail := rapid.SampledFrom([]float64{0, 0.5, 20}).Draw(t, "tail")
		h, err := metrics.NewHistogram(id, ood, bins, tail)
		require.NoError(t, err)
		require.Len(t, h.Edges, bins+1)
		require.True(t, slices.IsSorted(h.Edges))
		for set, scores := range map[string][]float64{"ID": id, "OOD": ood} {
			counts := h.ID
			if set == "OOD" {
				counts = h.OOD
			}
			require.Len(t, counts, bins)
			for i, n := range counts {
				low, high := h.Edges[i], h.Edges[i+1]
				if i == 0 {
					low = math.Inf(-1)
				}
				if i == bins-1 {
					high = math.Inf(1)
				}
				in := func(s float64) bool { return s >= low && (s < high || i == bins-1) }
				require.InDelta(t, share(scores, in)*float64(len(scores)), n, 1e-9, "%s bin %d", set, i)
			}
		}
	})
}

// The expected counts are from numpy 2.4.6: numpy.histogram(x, bins=4, range=(0, 3)).
func TestHistogramNumpy(t *testing.T) {
	h, err := metrics.NewHistogram([]float64{0, 0.74, 0.75, 1.5, 2.25, 3}, []float64{1.4, 1.5, 2.9}, 4, 0)
	require.NoError(t, err)
	assert.Equal(t, []float64{0, 0.75, 1.5, 2.25, 3}, h.Edges)
	assert.Equal(t, []int{2, 1, 1, 2}, h.ID)
	assert.Equal(t, []int{0, 1, 1, 1}, h.OOD)
}

func TestHistogramOfOneValue(t *testing.T) {
	h, err := metrics.NewHistogram([]float64{1e9, 1e9}, []float64{1e9}, 3, 0)
	require.NoError(t, err)
	assert.Less(t, h.Edges[0], h.Edges[3])
	assert.Equal(t, []int{0, 2, 0}, h.ID)
	assert.Equal(t, []int{0, 1, 0}, h.OOD)
}

func TestBinEdgesOfManySets(t *testing.T) {
	edges, err := metrics.BinEdges(2, 25, []float64{0, 1, 2, 3, 4}, []float64{math.Inf(-1), 7, 7}, []float64{-1})
	require.NoError(t, err)
	assert.Equal(t, []float64{-1, 3, 7}, edges)
	assert.Equal(t, []int{3, 2}, metrics.BinCounts([]float64{math.Inf(-1), -2, 2.9, 3, 9}, edges))
}

func TestHistogramErrors(t *testing.T) {
	ok := []float64{1, 2}
	_, err := metrics.NewHistogram(ok, ok, 0, 0)
	assert.ErrorContains(t, err, "expected at least 1 histogram bin, got 0")
	for _, tail := range []float64{-1, 50, math.NaN()} {
		_, err = metrics.NewHistogram(ok, ok, 5, tail)
		assert.ErrorContains(t, err, "expected a histogram tail in [0, 50) %, got")
	}
	_, err = metrics.NewHistogram(ok, []float64{math.Inf(-1)}, 5, 0)
	assert.EqualError(t, err, "metrics: set 1: none of 1 scores is finite")
	_, err = metrics.BinEdges(5, 0)
	assert.EqualError(t, err, "metrics: expected scores to bin, got none")
	_, err = metrics.BinEdges(5, 0, ok, []float64{3, math.NaN()})
	assert.EqualError(t, err, "metrics: set 1: quantile: value 1 of 2 is NaN")
}

func ExampleEvaluate() {
	id := []float64{9.1, 8.4, 7.9, 7.7, 6.0, 5.2}
	ood := []float64{6.5, 4.8, 4.8, 3.1}
	m, err := metrics.Evaluate(id, ood)
	if err != nil {
		panic(err)
	}
	fmt.Printf("AUROC %.1f %%\n", 100*m.AUROC)
	fmt.Printf("FPR95 %.1f %%, with OOD positive %.1f %%\n", 100*m.FPR95, 100*m.FPR95OpenOOD)
	fmt.Printf("detection error %.1f %%\n", 100*m.DTERR)
	// Output:
	// AUROC 91.7 %
	// FPR95 25.0 %, with OOD positive 33.3 %
	// detection error 12.5 %
}

func ExampleROC() {
	points, err := metrics.ROC([]float64{3, 2}, []float64{2, 1})
	if err != nil {
		panic(err)
	}
	for _, p := range points {
		fmt.Printf("accept at or above %v: FPR %.1f, TPR %.1f\n", p.Threshold, p.FPR, p.TPR)
	}
	// Output:
	// accept at or above +Inf: FPR 0.0, TPR 0.0
	// accept at or above 3: FPR 0.0, TPR 0.5
	// accept at or above 2: FPR 0.5, TPR 1.0
	// accept at or above 1: FPR 1.0, TPR 1.0
}
