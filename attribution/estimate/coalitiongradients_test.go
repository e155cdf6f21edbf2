package estimate

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// steps are the estimators from gradients at coalitions.
var steps = []CoalitionGradients{{}, {Unbiased: true}}

// largePlayers is a game of few neurons, so that the gradient changes much while one player goes from absent to
// present.
func largePlayers(t *testing.T, v attribution.Value) attribution.Game {
	net := randomNetwork(4, 7, 3)
	for i := range net.z {
		net.z[i] += 0.4
	}
	return net.game(t, games.PenultimateOptions{Value: v})
}

// TestUnbiasedCoalitionGradients plays games of a probability with large players, where the trapezoid rule alone
// errs: the mean of the unbiased estimator over 2,000 seeds must be the truth.
func TestUnbiasedCoalitionGradients(t *testing.T) {
	for _, c := range []struct {
		value   attribution.Value
		samples int
	}{{attribution.LogSumExp, 4}, {attribution.LogSumExp, 25}, {attribution.Probability, 12}} {
		t.Run(fmt.Sprint(c.value, c.samples), func(t *testing.T) {
			t.Parallel()
			g := largePlayers(t, c.value)
			truth := exactly(t, g)
			total := sampling.NewMoments(len(truth))
			for seed := range uint64(2000) {
				e, err := CoalitionGradients{Unbiased: true}.Estimate(background, g,
					attribution.Options{Samples: c.samples, Seed: seed, Workers: 1})
				require.NoError(t, err)
				total.Add(e.Values)
				assert.InDelta(t, 0, e.Residual, 1e-9)
			}
			for i := range truth {
				z := (total.Mean[i] - truth[i]) / total.StandardError(i)
				assert.Less(t, math.Abs(z), 4.5, "player %d: mean %v, truth %v", i, total.Mean[i], truth[i])
			}
		})
	}
}

// From the least number of samples on, intervals cover the true value as often as they say.
func TestIntervalsOfCoalitionGradientsCover(t *testing.T) {
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			g := largePlayers(t, v)
			truth, held, known := exactly(t, g), 0.0, quantiles{}
			const runs = 500
			for seed := range uint64(runs) {
				e, err := CoalitionGradients{Unbiased: true}.Estimate(background, g,
					attribution.Options{Samples: leastGradientSamples, Seed: seed, Workers: 1})
				require.NoError(t, err)
				held += covered(truth, &e, 0.95, known) / runs
			}
			t.Logf("coverage %.3f", held)
			assert.Greater(t, held, 0.93)
			assert.Less(t, held, 0.97)
		})
	}
}

// In a linear game every single gradient holds the Shapley values.
func TestCoalitionGradientsOfALinearGame(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 70} {
		g := randomNetwork(3, n, 8).game(t, games.PenultimateOptions{})
		want, err := ClosedForm{}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		for _, e := range steps {
			for _, samples := range []int{4, 5, 9} {
				got, err := e.Estimate(background, g, attribution.Options{Samples: samples})
				require.NoError(t, err, "%s with %d players", e.Name(), n)
				assert.InDeltaSlice(t, want.Values, got.Values, 1e-9, "%s with %d players, %d samples", e.Name(), n,
					samples)
				assert.InDelta(t, 0, got.Residual, 1e-9)
			}
		}
	}
}

// The budget is kept and used up, the forecast cost is the cost, and results do not depend on the number of workers.
func TestCoalitionGradientsBudget(t *testing.T) {
	g := randomNetwork(5, 30, 4).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for _, e := range steps {
		perSample := 14.0 // a third of the samples toggle
		if e.Unbiased {
			perSample = 18
		}
		one, err := e.Estimate(background, g, attribution.Options{Budget: 700, Seed: 3, Workers: 1})
		require.NoError(t, err)
		assert.Equal(t, int(694/perSample), one.Samples)
		assert.LessOrEqual(t, one.Equivalents, 700.0)
		assert.InDelta(t, 6+perSample*float64(one.Samples), one.Equivalents, 6)
		many, err := e.Estimate(background, g, attribution.Options{Budget: 700, Seed: 3, Workers: 5})
		require.NoError(t, err)
		assert.Equal(t, one.Values, many.Values)
		assert.Equal(t, one.StdErr, many.StdErr)
		f, err := Predict(background, e, g, attribution.Options{Budget: 1500}, 0)
		require.NoError(t, err)
		assert.InDelta(t, int(1494/perSample), f.Samples, 2)
		_, err = e.Estimate(background, g, attribution.Options{Budget: 50})
		assert.ErrorIs(t, err, attribution.ErrBudget)
		_, err = e.Estimate(background, randomTable(4, 1), attribution.Options{Budget: 100})
		assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
		to, err := e.Estimate(background, g, attribution.Options{TargetStdErr: one.MaxStdErr() / 2})
		require.NoError(t, err)
		assert.Equal(t, attribution.StopTarget, to.Stopped)
		assert.Greater(t, to.Samples, one.Samples)
	}
}

// From four samples a player on, all samples toggle, unless the budget does not allow that, and forecasts know.
func TestAllSamplesToggleWhereThereAreMany(t *testing.T) {
	const players = 30
	g := randomNetwork(5, players, 4).game(t, games.PenultimateOptions{Value: attribution.Probability})
	for _, c := range []struct {
		opt       attribution.Options
		samples   int
		perSample float64
	}{
		{attribution.Options{Samples: allToggle*players - 1}, 119, 14},
		{attribution.Options{Samples: allToggle * players}, 120, 18},
		{attribution.Options{Samples: 120, Budget: 1700}, 120, 14},
		{attribution.Options{Budget: 6 + 14*119.5}, 119, 14},
		{attribution.Options{Budget: 6 + 14*120}, 93, 18},
		{attribution.Options{Budget: 20000}, 1110, 18},
	} {
		got, err := CoalitionGradients{}.Estimate(background, g, c.opt)
		require.NoError(t, err)
		assert.Equal(t, c.samples, got.Samples, "%+v", c.opt)
		assert.InDelta(t, 6+c.perSample*float64(c.samples), got.Equivalents, 4.1, "%+v", c.opt)
		f, err := Predict(background, CoalitionGradients{}, g, c.opt, 0)
		require.NoError(t, err)
		assert.InEpsilon(t, c.samples, f.Samples, 0.02, "%+v", c.opt)
		assert.InEpsilon(t, got.Equivalents, f.Equivalents, 0.02, "%+v", c.opt)
	}
}

// Where [Choose] takes it, the estimator that corrects only as far as the measured errors stand out is no worse than
// the unbiased one, with few samples and with many.
func TestCoalitionGradientsAreAsGoodAsUnbiased(t *testing.T) {
	net := randomNetwork(5, fewPlayers+6, 4)
	for i := range 6 { // few large players, so that errors of the trapezoid rule matter
		net.z[i] += 3
	}
	g := net.game(t, games.PenultimateOptions{Value: attribution.Probability})
	truth, err := Permutation{Antithetic: true}.Estimate(background, g, attribution.Options{Samples: 200000})
	require.NoError(t, err)
	for _, budget := range []float64{300, 3000, 12000} {
		var squares [2]float64
		for i, e := range steps {
			for seed := range uint64(16) {
				got, err := e.Estimate(background, g, attribution.Options{Budget: budget, Seed: seed})
				require.NoError(t, err)
				squares[i] += meanSquaredError(truth.Values, got.Values)
			}
		}
		ratio := math.Sqrt(squares[0] / squares[1])
		t.Logf("budget %5.0f: error %.2f times that of the unbiased", budget, ratio)
		assert.Less(t, ratio, 1.1, "budget %v", budget)
	}
}

// A run that ctx interrupts leaves the estimate of the samples that were finished.
func TestCoalitionGradientsInterrupted(t *testing.T) {
	g := randomNetwork(5, 30, 4).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	truth, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 20000})
	require.NoError(t, err)
	for _, e := range steps {
		ctx, cancel := context.WithCancel(background)
		o := attribution.Options{Samples: 4000, Workers: 2, Progress: func(done, _ int) {
			if done >= 800 {
				cancel()
			}
		}}
		got, err := e.Estimate(ctx, g, o)
		require.ErrorIs(t, err, context.Canceled)
		require.NotNil(t, got.Values)
		assert.Equal(t, attribution.StopInterrupted, got.Stopped)
		assert.Less(t, got.Samples, 4000)
		for i, v := range truth.Values {
			assert.InDelta(t, v, got.Values[i], 0.02, "%s player %d", e.Name(), i)
		}
	}
}

// An error of the trapezoid rule that many samples show is corrected; one that a single sample shows is not, however
// large.
func TestStandingOut(t *testing.T) {
	var bends []bend
	for range 50 {
		bends = append(bends, bend{0, 2}, bend{1, 1}, bend{1, -1})
	}
	bends = append(bends, bend{2, 1000})
	got := standingOut(bends, 4)
	mean, count := 100/151., 151.
	variance := (200/count - mean*mean) / (count - 1)
	assert.InDelta(t, mean-doubt*variance/mean, got[0], 1e-12)
	assert.Equal(t, []float64{0, 0, 0}, got[1:])
	assert.Equal(t, []float64{0, 0}, standingOut(nil, 2))
	assert.Equal(t, []float64{0, 0}, standingOut([]bend{{0, 1}}, 2))
}

// In a game of large players, where the trapezoid rule errs, the correction by measured errors removes most of its
// error.
func TestCoalitionGradientsCorrectLargePlayers(t *testing.T) {
	g := largePlayers(t, attribution.Probability)
	truth := exactly(t, g)
	var few, many float64
	for seed := range uint64(10) {
		for samples, total := range map[int]*float64{30: &few, 3000: &many} {
			e, err := CoalitionGradients{}.Estimate(background, g, attribution.Options{Samples: samples, Seed: seed})
			require.NoError(t, err)
			*total += meanSquaredError(truth, e.Values)
		}
	}
	t.Logf("error with 30 samples %.4g, with 3000 %.4g", math.Sqrt(few/10), math.Sqrt(many/10))
	assert.Less(t, many, few/16, "no bias stays that is a quarter of the error")
}

// Where memory holds few samples, many come in rounds, which the plan's number of samples and the truth must not feel.
func TestCoalitionGradientsInRounds(t *testing.T) {
	g := largePlayers(t, attribution.LogSumExp)
	truth := exactly(t, g)
	for _, most := range []int{40, 100, 299, 300, 1000} {
		r, d, err := newGradientRun("rounds", g, attribution.Options{Samples: 301, Seed: 2})
		require.NoError(t, err)
		s := &gradientSampler{run: r, game: d, unbiased: true, period: 1, most: most}
		require.NoError(t, s.ends(background))
		p, err := r.plan(0, 1, fewestSamples)
		require.NoError(t, err)
		e, err := s.rounds(background, p)
		require.NoError(t, err)
		require.Equal(t, 301, e.Samples)
		for i, want := range truth {
			require.Less(t, math.Abs(e.Values[i]-want), 5*e.StdErr[i], "%d in a round, player %d", most, i)
		}
	}
	for _, left := range []int{4, 39, 40, 43, 44, 1000} {
		s := gradientSampler{most: 40}
		size := s.fitting(left, left)
		require.LessOrEqual(t, size, 40+fewestSamples-1)
		if size < left {
			require.GreaterOrEqual(t, left-size, fewestSamples)
		}
	}
}
