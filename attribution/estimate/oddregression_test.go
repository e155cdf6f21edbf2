package estimate

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// A network's values: the error is far below that of the regression on single players alone.
func TestOddRegressionOfANetwork(t *testing.T) {
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			net := randomNetwork(4, 14, 3)
			for i := range net.z {
				net.z[i] += 0.4
			}
			g := net.game(t, games.PenultimateOptions{Value: v})
			truth := exactly(t, g)
			var own, single float64
			for seed := range uint64(20) {
				o := attribution.Options{Samples: 60, Seed: seed, Workers: 1}
				e, err := OddRegression{}.Estimate(background, g, o)
				require.NoError(t, err)
				assert.InDelta(t, 0, e.Residual, 1e-12)
				own += meanSquaredError(truth, e.Values)
				l, err := LeverageSHAP{}.Estimate(background, g, o)
				require.NoError(t, err)
				single += meanSquaredError(truth, l.Values)
			}
			t.Logf("error %.3f of that of leverageshap", math.Sqrt(own/single))
			assert.Less(t, own, single/2)
		})
	}
}

// With all pairs the result is exact for any game; with fewer it is exact for a linear game.
func TestOddRegressionIsExactWhereItCanBe(t *testing.T) {
	for _, n := range []int{2, 3, 6, 9} {
		g := randomTable(n, uint64(n))
		e, err := OddRegression{}.Estimate(background, g, attribution.Options{Budget: 2000})
		require.NoError(t, err)
		assert.Equal(t, attribution.StopExact, e.Stopped)
		assert.InDeltaSlice(t, exactly(t, g), e.Values, 1e-9)
	}
	linear := randomNetwork(3, 70, 8).game(t, games.PenultimateOptions{})
	want, err := ClosedForm{}.Estimate(background, linear, attribution.Options{})
	require.NoError(t, err)
	got, err := OddRegression{}.Estimate(background, linear, attribution.Options{Samples: 200})
	require.NoError(t, err)
	size := math.Sqrt(meanSquaredError(want.Values, make([]float64, 70)))
	assert.Less(t, math.Sqrt(meanSquaredError(want.Values, got.Values)), 0.01*size)
	zero := games.Func(30, func(attribution.Coalition) float64 { return 7 })
	got, err = OddRegression{}.Estimate(background, zero, attribution.Options{Samples: 20})
	require.NoError(t, err)
	assert.Equal(t, make([]float64, 30), got.Values)
}

// TestOddRegressionBudget checks the budget, forecasts, targets and that results do not depend on the number of
// workers.
func TestOddRegressionBudget(t *testing.T) {
	g := randomNetwork(5, 30, 4).game(t, games.PenultimateOptions{Value: attribution.Probability})
	e := OddRegression{}
	one, err := e.Estimate(background, g, attribution.Options{Budget: 202, Seed: 3, Workers: 1})
	require.NoError(t, err)
	assert.Equal(t, 100, one.Samples)
	assert.Equal(t, 202.0, one.Equivalents)
	many, err := e.Estimate(background, g, attribution.Options{Budget: 202, Seed: 3, Workers: 5})
	require.NoError(t, err)
	assert.Equal(t, one.Values, many.Values)
	assert.Equal(t, one.StdErr, many.StdErr)
	f, err := Predict(background, e, g, attribution.Options{Budget: 402}, 0)
	require.NoError(t, err)
	assert.Equal(t, 200, f.Samples)
	_, err = e.Estimate(background, g, attribution.Options{Budget: 20})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	to, err := e.Estimate(background, g, attribution.Options{TargetStdErr: one.MaxStdErr() / 2})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopTarget, to.Stopped)
	assert.LessOrEqual(t, to.MaxStdErr(), one.MaxStdErr()/2)
	_, err = e.Estimate(background, games.Func(12, func(attribution.Coalition) float64 { return math.NaN() }),
		attribution.Options{Samples: 20})
	assert.ErrorIs(t, err, attribution.ErrNotFinite)
	ctx, cancel := context.WithCancel(background)
	var calls atomic.Int64
	interrupting := games.Func(30, func(s attribution.Coalition) float64 {
		if calls.Add(1) == 700 { // during the second chunk of 512 values
			cancel()
		}
		return float64(s.Size())
	})
	got, err := e.Estimate(ctx, interrupting, attribution.Options{Samples: 800, Workers: 1})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, attribution.StopInterrupted, got.Stopped)
	assert.Equal(t, 256, got.Samples)
	assert.NotNil(t, got.Values)
}

// The process's errors on the pairs beyond mostPairs are taken into account: on a random table, a game that is unlike
// its prior, more pairs still make the estimate better.
func TestOddRegressionCorrectsTheRest(t *testing.T) {
	g := randomTable(14, 3)
	truth := exactly(t, g)
	var rough, corrected float64
	for seed := range uint64(6) {
		e, err := OddRegression{}.Estimate(background, g, attribution.Options{Samples: 400, Seed: seed})
		require.NoError(t, err)
		rough += meanSquaredError(truth, e.Values)
		r, err := newRun("", g, attribution.Options{Seed: seed})
		require.NoError(t, err)
		l := leverageSampler{run: r, solve: func(ctx context.Context, q *sampling.Regression) (attribution.Estimate,
			error) {
			return r.conditioned(ctx, q, 400)
		}}
		require.NoError(t, r.endpoints(background))
		c, err := l.round(background, 0, 2000)
		require.NoError(t, err)
		corrected += meanSquaredError(truth, c.Values)
	}
	assert.Less(t, corrected, 0.7*rough)
}

func TestSplitEvenly(t *testing.T) {
	within, beyond := splitEvenly(5, 9)
	assert.Equal(t, []int{0, 1, 2, 3, 4}, within)
	assert.Empty(t, beyond)
	for _, n := range []int{10, 101} {
		within, beyond = splitEvenly(n, 4)
		assert.Len(t, within, 4, fmt.Sprint(n))
		assert.Len(t, beyond, n-4)
		assert.Equal(t, n-1, within[3])
	}
}
