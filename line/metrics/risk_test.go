package metrics_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/metrics"
)

// orders calls f with every permutation of 0..n-1.
func orders(n int, f func([]int)) {
	var extend func(order []int)
	extend = func(order []int) {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				extend(append(slices.Clone(order), i))
			}
		}
	}
	extend(nil)
}

// naiveAURC averages the definition over all orders in which scores descend.
func naiveAURC(score []float64, right []bool) float64 {
	var sum, count float64
	orders(len(score), func(order []int) {
		wrong, area := 0.0, 0.0
		for k, i := range order {
			if k > 0 && score[order[k-1]] < score[i] {
				return
			}
			if !right[i] {
				wrong++
			}
			area += wrong / float64(k+1)
		}
		sum += area / float64(len(score))
		count++
	})
	return sum / count
}

func TestAURCAgainstAllOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		score := rapid.SliceOfN(rapid.SampledFrom([]float64{math.Inf(-1), -1, 0, 1, math.Inf(1)}), n, n).Draw(t,
			"score")
		right := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "right")
		got, err := metrics.AURC(score, right)
		require.NoError(t, err)
		require.InDelta(t, naiveAURC(score, right), got, 1e-12)
	})
}

func TestAURCKnownValues(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		score []float64
		right []bool
		want  float64
	}{
		{[]float64{3}, []bool{yes}, 0},
		{[]float64{3}, []bool{no}, 1},
		{[]float64{1, 2, 3, 4}, []bool{no, yes, yes, yes}, 0.25 / 4}, // the best order
		{[]float64{4, 2, 3, 1}, []bool{no, yes, yes, yes}, (1 + 1./2 + 1./3 + 1./4) / 4},
		{[]float64{1, 1, 1, 1}, []bool{no, yes, no, yes}, 0.5}, // scores without information: the error rate
	} {
		got, err := metrics.AURC(c.score, c.right)
		require.NoError(t, err)
		require.InDelta(t, c.want, got, 1e-15)
	}
}

// Where no scores tie AURC is the mean risk of the curve's points, and order-preserving changes of the scores do not
// change it.
func TestAURCIsTheMeanOfTheCurve(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	score, right := make([]float64, 500), make([]bool, 500)
	for i := range score {
		score[i], right[i] = rng.NormFloat64(), rng.IntN(3) > 0
	}
	curve, err := metrics.RiskCoverage(score, right)
	require.NoError(t, err)
	require.Len(t, curve, 500)
	require.Equal(t, 1.0, curve[499].Coverage)
	mean := 0.0
	for _, p := range curve {
		mean += p.Risk / 500
	}
	got, err := metrics.AURC(score, right)
	require.NoError(t, err)
	require.InDelta(t, mean, got, 1e-13)
	for i := range score {
		score[i] = math.Exp(score[i])
	}
	again, err := metrics.AURC(score, right)
	require.NoError(t, err)
	require.Equal(t, got, again)
}

func TestMisclassificationErrors(t *testing.T) {
	for want, c := range map[string]struct {
		score []float64
		right []bool
	}{
		"expected scores of the ID set, got none":           {nil, nil},
		"expected a score for each of 1 predictions, got 2": {[]float64{1, 2}, []bool{true}},
		"ID score 1 of 2 is NaN":                            {[]float64{1, math.NaN()}, []bool{true, false}},
	} {
		_, err := metrics.AURC(c.score, c.right)
		require.ErrorContains(t, err, want)
		_, err = metrics.RiskCoverage(c.score, c.right)
		require.ErrorContains(t, err, want)
		_, err = metrics.MisclassificationAUROC(c.score, c.right)
		require.ErrorContains(t, err, want)
	}
	for _, right := range []bool{true, false} {
		got, err := metrics.MisclassificationAUROC([]float64{1, 2}, []bool{right, right})
		require.NoError(t, err)
		require.True(t, math.IsNaN(got), "all alike")
	}
}
