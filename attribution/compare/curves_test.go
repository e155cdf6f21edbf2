package compare

import (
	"bytes"
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
)

func TestInsertionDeletionOfAKnownGame(t *testing.T) {
	g := tableOf(t, 1, 3, 2, 7) // v(∅), v({0}), v({1}), v({0, 1})
	c, err := InsertionDeletion(background, g, []int{1, 0}, 0)
	require.NoError(t, err)
	assert.Equal(t, []float64{0, 0.5, 1}, c.Share)
	assert.Equal(t, []float64{1, 2, 7}, c.Insertion)
	assert.Equal(t, []float64{7, 3, 1}, c.Deletion)
	in, out := c.Areas()
	assert.Equal(t, []float64{0.5*1.5 + 0.5*4.5, 0.5*5 + 0.5*2}, []float64{in, out})
	s := c.Shares()
	assert.Equal(t, []float64{0, 1.0 / 6, 1}, s.Insertion)
	assert.Equal(t, []float64{1, 2.0 / 6, 0}, s.Deletion)
}

// On an additive game with positive players the order by descending value is the best: no other order has a larger
// insertion area or a smaller deletion area. With fewer points than players the curves keep both ends.
func TestCurvesOfAnAdditiveGame(t *testing.T) {
	worth := []float64{5, 1, 3, 2, 8, 4, 0.5, 7}
	g := games.Func(len(worth), func(c attribution.Coalition) float64 {
		v := 0.0
		for i, w := range worth {
			if c.Has(i) {
				v += w
			}
		}
		return v
	})
	best, err := InsertionDeletion(background, g, estimate.Largest(worth, len(worth)), 0)
	require.NoError(t, err)
	bestIn, bestOut := best.Areas()
	rng := testRNG(1)
	for range 50 {
		order := []int{0, 1, 2, 3, 4, 5, 6, 7}
		for i := range order {
			j := int(rng.Uint64() % uint64(i+1))
			order[i], order[j] = order[j], order[i]
		}
		c, err := InsertionDeletion(background, g, order, 0)
		require.NoError(t, err)
		in, out := c.Areas()
		assert.LessOrEqual(t, in, bestIn)
		assert.GreaterOrEqual(t, out, bestOut)
		assert.InDelta(t, 30.5, in+out, 1e-12, "what has come and what is left make up all")
	}
	few, err := InsertionDeletion(background, g, estimate.Largest(worth, len(worth)), 4)
	require.NoError(t, err)
	assert.Equal(t, []float64{0, 3.0 / 8, 5.0 / 8, 1}, few.Share)
	assert.Equal(t, []float64{0, 20, 27, 30.5}, few.Insertion)
}

func TestOrdersThatAreNone(t *testing.T) {
	g := tableOf(t, 1, 3, 2, 7)
	for _, order := range [][]int{nil, {0}, {0, 0}, {0, 2}, {-1, 0}, {0, 1, 0}} {
		_, err := InsertionDeletion(background, g, order, 0)
		assert.ErrorContains(t, err, "expected a permutation of 2 players", "%v", order)
	}
	_, err := InsertionDeletion(background, g, []int{0, 1}, 1)
	assert.ErrorContains(t, err, "expected at least 2 points, got 1")
	_, err = InsertionDeletion(background, games.Func(1, func(attribution.Coalition) float64 { return math.NaN() }),
		[]int{0}, 0)
	assert.ErrorIs(t, err, attribution.ErrNotFinite)
	_, err = InsertionDeletion(background, nil, nil, 0)
	assert.ErrorIs(t, err, attribution.ErrNoPlayers)
}

func TestCompareCurves(t *testing.T) {
	n := randomNetwork(3, 12, 4)
	other := randomNetwork(3, 12, 5)
	flat := games.Func(12, func(attribution.Coalition) float64 { return 2 })
	study := CurveStudy{
		Subjects: []Subject{{Name: "a", Game: n.game(t, games.PenultimateOptions{})},
			{Name: "b", Game: other.game(t, games.PenultimateOptions{})},
			{Name: "flat", Game: flat}},
		Estimators: []attribution.Estimator{estimate.GradientActivation{}, estimate.Permutation{},
			estimate.KernelSHAP{}}, Options: attribution.Options{Budget: 40, Seed: 3},
	}
	c, err := CompareCurves(background, study)
	require.NoError(t, err)
	require.Len(t, c.Runs, 12)
	require.Len(t, c.Cells, 4)
	assert.Equal(t, RandomOrder, c.Cells[0].Estimator)
	random, gradient := c.Cells[0], c.Cells[1]
	assert.Equal(t, 3, random.Runs)
	assert.Equal(t, 2, gradient.Runs, "a function has no gradient")
	assert.Contains(t, c.Runs[5].Skipped, "no gradients")
	assert.Greater(t, gradient.Insertion.Mean, random.Insertion.Mean,
		"on a linear game the gradient's order is the best")
	assert.Less(t, gradient.Deletion.Mean, random.Deletion.Mean)
	assert.InDelta(t, gradient.Insertion.Mean-gradient.Deletion.Mean, gradient.Difference.Mean, 1e-12)
	want := 0.0 // the flat game, whose curves have no unit, does not count
	for _, r := range c.Runs[3:5] {
		in, _ := r.Shares().Areas()
		want += in / 2
	}
	assert.InDelta(t, want, gradient.Insertion.Mean, 1e-12)
	assert.Equal(t, 1.0, gradient.Mean.Insertion[12])
	again, err := CompareCurves(background, study)
	require.NoError(t, err)
	for i := range c.Runs {
		assert.Equal(t, c.Runs[i].Curves, again.Runs[i].Curves)
	}
	for _, deletion := range []bool{false, true} {
		f, err := MeanCurves(c, deletion)
		require.NoError(t, err)
		var svg bytes.Buffer
		_, err = f.SVG().WriteTo(&svg)
		require.NoError(t, err)
		assert.Contains(t, svg.String(), "gradient-activation")
	}
	_, err = MeanCurves(&CurveComparison{}, false)
	assert.ErrorContains(t, err, "no insertion curves")
	ctx, cancel := context.WithCancel(background)
	study.Progress = func(done, _ int) {
		if done == 7 {
			cancel()
		}
	}
	part, err := CompareCurves(ctx, study)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, part.Runs, 7)
	_, err = CompareCurves(background, CurveStudy{})
	assert.ErrorContains(t, err, "at least one game")
}
