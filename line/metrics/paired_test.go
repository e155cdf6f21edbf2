package metrics

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

type pairedFixture struct {
	DeLong []struct {
		A, B                      ScoreSets
		Difference, Lo, Hi, P, SD float64
	}
	Holm              struct{ P, Adjusted []float64 }
	Misclassification struct {
		Score []float64
		Right []bool
		AUROC float64
	}
}

func readPaired(t *testing.T) (f pairedFixture) {
	data, err := os.ReadFile("testdata/paired.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &f))
	require.Len(t, f.DeLong, 4)
	return f
}

// The expected values are from numpy, scipy, statsmodels and scikit-learn, computed by testdata/paired.py.
func TestPairedReference(t *testing.T) {
	f := readPaired(t)
	for i, c := range f.DeLong {
		got, err := DeLong([][]ScoreSets{{c.A}, {c.B}}, [][2]int{{0, 1}, {1, 0}, {0, 0}}, 0.9)
		require.NoError(t, err)
		require.InDelta(t, c.Difference, got[0].Mean, 1e-14, i)
		require.InDelta(t, max(c.Lo, -1), got[0].CI.Lo, 1e-9, i)
		require.InDelta(t, min(c.Hi, 1), got[0].CI.Hi, 1e-9, i)
		require.InDelta(t, c.P, got[0].P, 1e-9, i)
		require.Equal(t, Difference{-got[0].Mean, Interval{-got[0].CI.Hi, -got[0].CI.Lo}, got[0].P}, got[1],
			"the other way round")
		require.Equal(t, Difference{0, Interval{}, 1}, got[2], "a method is as good as itself")
	}
	adjusted, err := Holm(f.Holm.P)
	require.NoError(t, err)
	require.InDeltaSlice(t, f.Holm.Adjusted, adjusted, 1e-15)
	auroc, err := MisclassificationAUROC(f.Misclassification.Score, f.Misclassification.Right)
	require.NoError(t, err)
	require.InDelta(t, f.Misclassification.AUROC, auroc, 1e-15)
}

// The bootstrap of a difference has the mean, standard error and p-value of DeLong's test, up to its noise.
func TestBootstrapPairedAgreesWithDeLong(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	a, b := correlated(rng, 300, []int{200, 150}, 1, 0.2, 0.6)
	methods, pairs := [][]ScoreSets{{a}, {b}}, [][2]int{{0, 1}}
	want, err := DeLong(methods, pairs, 0.9)
	require.NoError(t, err)
	got, err := BootstrapPaired(t.Context(), methods, pairs, 4000, 0.9, 1)
	require.NoError(t, err)
	require.InDelta(t, want[0].Mean, got[0].Mean, 1e-14)
	width := want[0].CI.Hi - want[0].CI.Lo
	require.InDelta(t, want[0].CI.Lo, got[0].CI.Lo, 0.08*width)
	require.InDelta(t, want[0].CI.Hi, got[0].CI.Hi, 0.08*width)
	require.Less(t, want[0].P, 0.2, "the test must have something to say")
	require.InDelta(t, want[0].P, got[0].P, 0.02)
}

// correlated draws the scores of two methods, which have a common part and independent noise.
func correlated(rng *rand.Rand, n int, ms []int, gap, noiseA, noiseB float64) (a, b ScoreSets) {
	set := func(n int, mean float64) (x, y []float64) {
		for range n {
			common := mean + rng.NormFloat64()
			x = append(x, common+float64(noiseA*rng.NormFloat64()))
			y = append(y, common+float64(noiseB*rng.NormFloat64()))
		}
		return x, y
	}
	a.ID, b.ID = set(n, gap)
	for _, m := range ms {
		x, y := set(m, 0)
		a.OOD, b.OOD = append(a.OOD, x), append(b.OOD, y)
	}
	return a, b
}

// The mean AUROC of a resample is that of the drawn samples, also with ties, several sets and checkpoints.
func TestBootstrapPairedResample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		score := rapid.Map(rapid.IntRange(-4, 4), func(i int) float64 { return float64(i) })
		n, m, k := rapid.IntRange(1, 20).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "m"),
			rapid.IntRange(1, 20).Draw(t, "k")
		draw := func() ScoreSets {
			set := func(n int) []float64 { return rapid.SliceOfN(score, n, n).Draw(t, "scores") }
			return ScoreSets{ID: set(n), OOD: [][]float64{set(m), set(k)}}
		}
		checkpoints := []ScoreSets{draw(), draw()}
		c := newCounts(checkpoints[0])
		c.draw(stream(rapid.Uint64().Draw(t, "seed"), 3))
		want := 0.0
		repeated := func(scores []float64, counts []int32) (out []float64) {
			for i, s := range scores {
				out = append(out, slices.Repeat([]float64{s}, int(counts[i]))...)
			}
			return out
		}
		for _, s := range checkpoints {
			for set := range s.OOD {
				a, err := AUROC(repeated(s.ID, c.id), repeated(s.OOD[set], c.ood[set]))
				require.NoError(t, err)
				want += a / 4
			}
		}
		ranked := []rankedSets{newRankedSets(checkpoints[0]), newRankedSets(checkpoints[1])}
		require.InDelta(t, want, meanAUROC(ranked, c, make([]int64, n+1)), 1e-14)
	})
}

func TestBootstrapPairedIsDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	a, b := correlated(rng, 80, []int{50, 20}, 1, 0.5, 0.5)
	methods, pairs := [][]ScoreSets{{a}, {b}}, [][2]int{{0, 1}}
	want, err := bootstrapPaired(t.Context(), methods, pairs, 53, 0.9, 11, 1)
	require.NoError(t, err)
	for _, workers := range []int{2, 5, 100} {
		got, err := bootstrapPaired(t.Context(), methods, pairs, 53, 0.9, 11, workers)
		require.NoError(t, err)
		require.Equal(t, want, got, "%d workers", workers)
	}
	other, err := bootstrapPaired(t.Context(), methods, pairs, 53, 0.9, 12, 2)
	require.NoError(t, err)
	require.NotEqual(t, want[0].CI, other[0].CI)
	require.Equal(t, want[0].Mean, other[0].Mean)
	more, err := bootstrapPaired(t.Context(), append(methods, []ScoreSets{b}), [][2]int{{1, 2}, {0, 1}, {0, 2}}, 53,
		0.9, 11, 3)
	require.NoError(t, err)
	require.Equal(t, want[0], more[1], "other methods beside it change nothing")
	require.Equal(t, want[0], more[2])
	require.Equal(t, Difference{P: 1}, more[0], "equal scores")
}

// The smallest p-value of a bootstrap is reached where no resample has a difference of the other sign.
func TestBootstrapPairedLeastP(t *testing.T) {
	good := ScoreSets{ID: []float64{5, 6, 7, 8}, OOD: [][]float64{{1, 2, 3}}}
	bad := ScoreSets{ID: []float64{1, 2, 3, 4}, OOD: [][]float64{{7, 8, 9}}}
	got, err := BootstrapPaired(t.Context(), [][]ScoreSets{{good}, {bad}}, [][2]int{{0, 1}}, 99, 0.95, 1)
	require.NoError(t, err)
	require.Equal(t, Difference{1, Interval{1, 1}, 0.02}, got[0])
}

func TestDeLongAtTheEdges(t *testing.T) {
	compare := func(a, b ScoreSets) Difference {
		got, err := DeLong([][]ScoreSets{{a}, {b}}, [][2]int{{0, 1}}, 0.95)
		require.NoError(t, err)
		return got[0]
	}
	one := compare(ScoreSets{[]float64{1}, [][]float64{{0, 0}}}, ScoreSets{[]float64{0}, [][]float64{{1, 1}}})
	require.Equal(t, Difference{1, Interval{-1, 1}, 1}, one, "one ID sample")
	one = compare(ScoreSets{[]float64{1, 2}, [][]float64{{0, 0}, {0}}},
		ScoreSets{[]float64{0, 0}, [][]float64{{1, 1}, {1}}})
	require.Equal(t, Difference{1, Interval{-1, 1}, 1}, one, "one OOD sample")
	least := compare(ScoreSets{[]float64{1, 2}, [][]float64{{0, 0, -1}}},
		ScoreSets{[]float64{0, 0}, [][]float64{{1, 1, 2}}})
	require.Equal(t, Difference{1, Interval{1, 1}, 1. / 16}, least, "no variance: of 2^5 exchanges two are as extreme")
	constant := ScoreSets{[]float64{1, 1, 1}, [][]float64{{1, 1}}}
	require.Equal(t, Difference{0, Interval{}, 1}, compare(constant, constant))
	infinite := ScoreSets{[]float64{math.Inf(1), 1, math.Inf(-1)}, [][]float64{{math.Inf(-1), 0}}}
	require.False(t, math.IsNaN(compare(infinite, constant).P))
}

// Over checkpoints the AUROC is the mean. Repeating one checkpoint gives the same result as a single one.
func TestDeLongOfCheckpoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	a, b := correlated(rng, 40, []int{30}, 1, 0.5, 0.9)
	c, d := correlated(rng, 40, []int{30}, 1, 0.5, 0.9)
	single, err := DeLong([][]ScoreSets{{a}, {b}, {c}, {d}}, [][2]int{{0, 1}, {2, 3}}, 0.95)
	require.NoError(t, err)
	both, err := DeLong([][]ScoreSets{{a, c}, {b, d}, {a, a}, {b, b}}, [][2]int{{0, 1}, {2, 3}}, 0.95)
	require.NoError(t, err)
	require.InDelta(t, (single[0].Mean+single[1].Mean)/2, both[0].Mean, 1e-14)
	require.InDelta(t, single[0].P, both[1].P, 1e-12)
}

// If there is no difference p-values are uniform: 5 % of them are below 5 %.
func TestDeLongHoldsItsLevel(t *testing.T) {
	const trials = 600
	below := 0
	var p []float64
	for trial := range trials {
		a, b := correlated(rand.New(rand.NewPCG(6, uint64(trial))), 50, []int{40, 60}, 1, 0.5, 0.5)
		got, err := DeLong([][]ScoreSets{{a}, {b}}, [][2]int{{0, 1}}, 0.95)
		require.NoError(t, err)
		if got[0].P < 0.05 {
			below++
		}
		p = append(p, got[0].P)
	}
	// Binomial(600, 0.05) has a standard deviation of 5.3; the tolerance is four of them
	require.InDelta(t, 30, below, 22)
	require.InDelta(t, 0.5, stat.Mean(p, nil), 0.05)
}

func TestPairedErrors(t *testing.T) {
	good := ScoreSets{ID: []float64{1, 2}, OOD: [][]float64{{1}}}
	for want, methods := range map[string][][]ScoreSets{
		"comparison: expected scores of at least one method, got none": {},
		"comparison: expected at least one OOD set, got none":          {{{ID: []float64{1}}}},
		"method 1: ID set: expected 2 scores as of method 0, got 1": {{good},
			{{ID: []float64{1}, OOD: [][]float64{{1}}}}},
		"expected 1 OOD sets as of method 0, got 2": {{good},
			{{ID: []float64{1, 2}, OOD: [][]float64{{1}, {1}}}}},
		"OOD (number 0) score 0 of 1 is NaN": {{good},
			{{ID: []float64{1, 2}, OOD: [][]float64{{math.NaN()}}}}},
		"expected scores of the ID set, got none":                            {{{OOD: [][]float64{{1}}}}},
		"expected scores of 1 checkpoints as of method 0, got 2 of method 1": {{good}, {good, good}},
	} {
		_, err := DeLong(methods, nil, 0.95)
		require.ErrorContains(t, err, want)
		_, err = BootstrapPaired(t.Context(), methods, nil, 5, 0.95, 1)
		require.ErrorContains(t, err, want)
	}
	_, err := DeLong([][]ScoreSets{{good}}, [][2]int{{0, 1}}, 0.95)
	require.ErrorContains(t, err, "expected two of the methods, got 0 and 1 of 1")
	_, err = DeLong([][]ScoreSets{{good}}, nil, 1)
	require.ErrorContains(t, err, "expected a confidence level in (0, 1), got 1")
	_, err = BootstrapPaired(t.Context(), [][]ScoreSets{{good}}, nil, 0, 0.95, 1)
	require.ErrorContains(t, err, "expected at least 1 bootstrap resample, got 0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = BootstrapPaired(ctx, [][]ScoreSets{{good}}, nil, 5, 0.95, 1)
	require.ErrorIs(t, err, context.Canceled)
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		_, err := Holm([]float64{0.5, p})
		require.ErrorContains(t, err, "p-value 1")
	}
}

func TestHolm(t *testing.T) {
	for _, c := range []struct{ p, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.3}, []float64{0.3}},
		{[]float64{0.04, 0.01, 0.04}, []float64{0.08, 0.03, 0.08}},
		{[]float64{1, 0.9}, []float64{1, 1}},
	} {
		got, err := Holm(c.p)
		require.NoError(t, err)
		require.InDeltaSlice(t, c.want, got, 1e-15)
	}
}
