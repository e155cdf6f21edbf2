package estimate

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// everyEstimator lists all estimators with settings that all games of the tests can serve.
func everyEstimator() []attribution.Estimator {
	return append(samplers(), Exact{}, GradientActivation{}, IntegratedGradients{},
		IntegratedGradients{Rule: Trapezoid}, ExpectedGradients{},
		Owen{Trapezoid: true}, Owen{Trapezoid: true, Halved: true}, TopK{K: 3})
}

func withoutTime(e attribution.Estimate) attribution.Estimate {
	e.Seconds = 0
	return e
}

// An estimate's Method is its estimator's Name, whatever defaults were filled in and however the run ended.
func TestMethodIsTheName(t *testing.T) {
	net := randomNetwork(3, 7, 1)
	games := []attribution.Game{net.game(t, games.PenultimateOptions{}), randomNetwork(3, 1, 1).game(t,
		games.PenultimateOptions{}),
		net.game(t,
			games.PenultimateOptions{Removal: attribution.RemoveByResampling([][]float64{net.z, make([]float64, 7)})})}
	cancelled, cancel := context.WithCancel(background)
	cancel()
	for _, e := range append(everyEstimator(), ClosedForm{}, TopK{K: 1}, IntegratedGradients{Rule: RightRiemann},
		IntegratedGradients{Steps: 10},
		Owen{Trapezoid: true, Levels: 1}, Owen{Levels: 2}, Permutation{Rotations: 1}, Stratified{Strata: 3}) {
		for i, g := range games {
			if top, ok := e.(TopK); ok && top.K > g.Players() {
				continue
			}
			est, err := e.Estimate(background, g, attribution.Options{Budget: 4000})
			require.NoError(t, err, "%s, game %d", e.Name(), i)
			assert.Equal(t, e.Name(), est.Method, "game %d", i)
			est, err = e.Estimate(cancelled, g, attribution.Options{Budget: 4000})
			if err != nil {
				require.ErrorContains(t, err, e.Name())
				assert.Equal(t, e.Name(), est.Method, "game %d, cancelled", i)
			}
		}
	}
}

// The same bits for one worker and for several, on the incremental and on the general path, with and without drawn
// members.
func TestResultsDoNotDependOnWorkers(t *testing.T) {
	net := randomNetwork(4, 9, 2)
	rows := [][]float64{make([]float64, 9), randomNetwork(1, 9, 3).z, randomNetwork(1, 9, 4).z}
	games := map[string]attribution.Game{
		"penultimate": net.game(t, games.PenultimateOptions{Value: attribution.LogSumExp}),
		"resampled": net.game(t, games.PenultimateOptions{Value: attribution.Probability,
			Removal: attribution.RemoveByResampling(rows)}),
		"table": randomTable(9, 4),
	}
	for name, g := range games {
		for _, e := range everyEstimator() {
			opt := attribution.Options{Budget: 6000, Seed: 11, Workers: 1}
			one, err := e.Estimate(background, g, opt)
			if errors.Is(err, attribution.ErrNotDifferentiable) {
				continue
			}
			require.NoError(t, err, "%s on %s", e.Name(), name)
			opt.Workers = 3
			three, err := e.Estimate(background, g, opt)
			require.NoError(t, err)
			assert.Equal(t, withoutTime(one), withoutTime(three), "%s on %s", e.Name(), name)
			opt = attribution.Options{TargetStdErr: 0.05, Budget: 20000, Seed: 11, Workers: 1}
			one, err = e.Estimate(background, g, opt)
			require.NoError(t, err)
			opt.Workers = 2
			two, err := e.Estimate(background, g, opt)
			require.NoError(t, err)
			assert.Equal(t, withoutTime(one), withoutTime(two), "%s on %s with a target", e.Name(), name)
		}
	}
}

// The incremental path gives the same values as the general path.
func TestIncrementalPathAgreesWithTheGeneralPath(t *testing.T) {
	for _, v := range allValues {
		g := randomNetwork(5, 20, 6).game(t, games.PenultimateOptions{Value: v})
		for _, e := range []attribution.Estimator{Permutation{}, Permutation{Antithetic: true, Rotations: 3}, Owen{},
			Owen{Halved: true}, Owen{Trapezoid: true}, TopK{K: 4}} {
			opt := attribution.Options{Samples: 40, Seed: 3}
			fast, err := e.Estimate(background, g, opt)
			require.NoError(t, err)
			slow, err := e.Estimate(background, plain{g}, opt)
			require.NoError(t, err)
			assert.InDeltaSlice(t, slow.Values, fast.Values, 1e-12, "%v %s", v, e.Name())
			assert.InDeltaSlice(t, slow.StdErr, fast.StdErr, 1e-12, "%v %s", v, e.Name())
			assert.Equal(t, slow.Evaluations, fast.Evaluations)
		}
	}
}

// stopping cancels its context after some coalitions, and then reports the context's error.
type stopping struct {
	attribution.Game
	left   atomic.Int64
	cancel context.CancelFunc
}

func (s *stopping) Values(ctx context.Context, c attribution.Coalitions, dst []float64) error {
	if s.left.Add(-int64(c.Len())) < 0 {
		s.cancel()
		return ctx.Err()
	}
	return s.Game.Values(ctx, c, dst)
}

// Cancelled, an estimator returns what it would have returned for that many samples.
func TestCancelKeepsWhatWasComputed(t *testing.T) {
	table := randomTable(8, 4)
	for _, e := range append(unbiased(), KernelSHAP{}, KernelSHAP{Paired: true}) {
		for _, workers := range []int{1, 3} {
			ctx, cancel := context.WithCancel(background)
			g := &stopping{Game: table, cancel: cancel}
			g.left.Store(120000) // after the first wave of chunks of three workers
			est, err := e.Estimate(ctx, g, attribution.Options{Budget: 1e6, Seed: 9, Workers: workers})
			require.ErrorIs(t, err, context.Canceled, e.Name())
			assert.Equal(t, attribution.StopInterrupted, est.Stopped, e.Name())
			require.NotNil(t, est.Values, e.Name())
			require.Greater(t, est.Samples, 1, e.Name())
			if s, ok := e.(Stratified); ok && s.Optimal {
				// the numbers of samples in both halves depend on the budget, so that a cut-off run is not a shorter
				// run
				continue
			}
			want, err := e.Estimate(background, table, attribution.Options{Samples: est.Samples, Seed: 9})
			require.NoError(t, err)
			assert.InDeltaSlice(t, want.Values, est.Values, 1e-12, e.Name())
			assert.InDeltaSlice(t, want.StdErr, est.StdErr, 1e-12, e.Name())
			lo, hi := est.Interval(0, 0.95)
			assert.Less(t, lo, hi)
			cancel()
		}
	}
}

// TestCancelKeepsGradientsAndGrids is the same for gradients, and for a grid whose end points are evaluated
// separately.
func TestCancelKeepsGradientsAndGrids(t *testing.T) {
	g := randomNetwork(4, 8, 3).game(t, games.PenultimateOptions{Value: attribution.LogSumExp,
		Removal: attribution.RemoveByResampling([][]float64{make([]float64, 8), {1, 0, 1, 0, 2, 0, 1, 0}})})
	for _, e := range []attribution.Estimator{ExpectedGradients{}, Owen{Trapezoid: true}} {
		ctx, cancel := context.WithCancel(background)
		est, err := e.Estimate(ctx, g, attribution.Options{Samples: 1 << 30, Seed: 9, Progress: func(done, _ int) {
			if done > 100 {
				cancel()
			}
		}})
		cancel()
		require.ErrorIs(t, err, context.Canceled, e.Name())
		require.Greater(t, est.Samples, 100, e.Name())
		assert.Equal(t, attribution.StopInterrupted, est.Stopped)
		want, err := e.Estimate(background, g, attribution.Options{Samples: est.Samples, Seed: 9})
		require.NoError(t, err)
		assert.Equal(t, want.Values, est.Values, e.Name())
		assert.Equal(t, want.StdErr, est.StdErr, e.Name())
	}
}

func TestCancelledLeverageSHAPAndTopK(t *testing.T) {
	table := randomTable(12, 4)
	truth := exactly(t, table)
	for _, e := range []attribution.Estimator{LeverageSHAP{}, TopK{K: 6}} {
		ctx, cancel := context.WithCancel(background)
		g := &stopping{Game: table, cancel: cancel}
		g.left.Store(2400)
		est, err := e.Estimate(ctx, g, attribution.Options{Samples: 2000, Seed: 9, Workers: 1})
		require.ErrorIs(t, err, context.Canceled, e.Name())
		require.NotNil(t, est.Values, e.Name())
		assert.Less(t, est.Samples, 2000)
		for i := range truth {
			assert.InDelta(t, truth[i], est.Values[i], 5*est.StdErr[i], "%s player %d", e.Name(), i)
		}
		cancel()
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(background, -time.Second)
	defer cancel()
	g := randomNetwork(3, 5, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	for _, e := range append(everyEstimator(), ClosedForm{}) {
		game := g
		if e == attribution.Estimator(ClosedForm{}) {
			game = randomNetwork(3, 5, 1).game(t, games.PenultimateOptions{})
		}
		est, err := e.Estimate(ctx, game, attribution.Options{Budget: 5000})
		require.ErrorIs(t, err, context.DeadlineExceeded, e.Name())
		assert.Nil(t, est.Values, e.Name())
		assert.Equal(t, attribution.StopInterrupted, est.Stopped, e.Name())
	}
}

// Games of one to three players, where many formulas degenerate.
func TestSmallGames(t *testing.T) {
	for n := 1; n <= 3; n++ {
		g := randomTable(n, uint64(70+n))
		truth := exactly(t, g)
		mean, err := games.NewMean(g, randomTable(n, 80))
		require.NoError(t, err)
		for _, e := range append(samplers(), Owen{Trapezoid: true}, Owen{Trapezoid: true, Levels: 1}, TopK{K: 1}) {
			if _, ok := e.(LeverageSHAP); ok {
				est, err := e.Estimate(background, g, attribution.Options{Budget: 1000})
				require.NoError(t, err)
				assert.InDeltaSlice(t, truth, est.Values, 1e-12)
				continue
			}
			est, err := e.Estimate(background, g, attribution.Options{Samples: 3000, Seed: 5})
			require.NoError(t, err, "%s with %d players", e.Name(), n)
			if o, ok := e.(Owen); !ok || !o.Trapezoid || n < 3 {
				for i := range truth {
					assert.InDelta(t, truth[i], est.Values[i], 5*est.StdErr[i]+1e-9, "%s player %d of %d", e.Name(), i,
						n)
				}
			}
			_, err = e.Estimate(background, mean, attribution.Options{Samples: 50, Seed: 5})
			require.NoError(t, err, "%s with %d players and members", e.Name(), n)
		}
	}
}

func TestTargetStandardErrorIsReached(t *testing.T) {
	g := randomTable(8, 3)
	for _, e := range samplers() {
		est, err := e.Estimate(background, g, attribution.Options{TargetStdErr: 0.03, Seed: 4})
		require.NoError(t, err, e.Name())
		assert.LessOrEqual(t, est.MaxStdErr(), 0.03, e.Name())
		if est.Stopped != attribution.StopExact {
			assert.Equal(t, attribution.StopTarget, est.Stopped, e.Name())
			assert.Greater(t, est.MaxStdErr(), 0.015, "%s takes far more samples than needed", e.Name())
		}
		capped, err := e.Estimate(background, g, attribution.Options{TargetStdErr: 1e-9, Budget: 1200})
		require.NoError(t, err, e.Name())
		assert.LessOrEqual(t, capped.Equivalents, 1200.0, e.Name())
	}
}

type badGame struct {
	n int
	v float64
}

func (b badGame) Players() int { return b.n }

func (b badGame) Values(_ context.Context, s attribution.Coalitions, dst []float64) error {
	for r := range dst[:s.Len()] {
		dst[r] = b.v
	}
	return nil
}

type failing struct{ attribution.Game }

var errBroken = errors.New("the graph broke")

func (f failing) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	if s.Len() > 2 {
		return errBroken
	}
	return f.Game.Values(ctx, s, dst)
}

func TestBadGamesAndOptions(t *testing.T) {
	table := randomTable(6, 1)
	all := append(samplers(), Exact{}, TopK{K: 1})
	for _, e := range all {
		_, err := e.Estimate(background, nil, attribution.Options{Samples: 10})
		assert.ErrorIs(t, err, attribution.ErrNoPlayers, e.Name())
		_, err = e.Estimate(background, badGame{0, 1}, attribution.Options{Samples: 10})
		assert.ErrorIs(t, err, attribution.ErrNoPlayers, e.Name())
		_, err = e.Estimate(background, badGame{6, math.NaN()}, attribution.Options{Samples: 10})
		assert.ErrorIs(t, err, attribution.ErrNotFinite, e.Name())
		_, err = e.Estimate(background, badGame{6, math.Inf(-1)}, attribution.Options{Samples: 10})
		assert.ErrorIs(t, err, attribution.ErrNotFinite, e.Name())
		est, err := e.Estimate(background, failing{table}, attribution.Options{Samples: 10})
		assert.ErrorIs(t, err, errBroken, e.Name())
		assert.Nil(t, est.Values)
		for _, opt := range []attribution.Options{{Samples: -1}, {Budget: -1}, {Budget: math.NaN()}, {TargetStdErr: -1},
			{BackwardCost: -1}, {Samples: 1, Workers: -1}} {
			_, err = e.Estimate(background, table, opt)
			assert.Error(t, err, "%s %+v", e.Name(), opt)
		}
		_, err = e.Estimate(background, table, attribution.Options{Budget: 2})
		assert.ErrorIs(t, err, attribution.ErrBudget, e.Name())
	}
	for _, e := range append(samplers(), TopK{K: 1}) {
		_, err := e.Estimate(background, table, attribution.Options{})
		assert.ErrorContains(t, err, "expected a number of samples, a budget or a target", e.Name())
		if _, ok := e.(LeverageSHAP); ok {
			continue
		}
		_, err = e.Estimate(background, table, attribution.Options{Samples: 5000, Budget: 4000})
		assert.ErrorIs(t, err, attribution.ErrBudget, e.Name())
	}
	for _, c := range []struct {
		e    attribution.Estimator
		want string
	}{
		{Permutation{Rotations: -1}, "expected at least 0 rotations, got -1"}, {Owen{Levels: -1}, "levels, got -1"},
		{Stratified{Strata: -1}, "strata, got -1"},
		{TopK{}, "k from 1 to 6 players, got 0"}, {TopK{K: 7}, "k from 1 to 6 players, got 7"},
		{TopK{K: 1, Confidence: 1}, "expected a confidence in (0, 1), got 1"},
		{LeverageSHAP{}, "expected at most the 31 pairs of 6 players, got 100"},
		{GradientActivation{}, "no gradients"}, {IntegratedGradients{}, "no gradients"},
		{ExpectedGradients{}, "no gradients"},
		{ClosedForm{}, "not linear"},
	} {
		_, err := c.e.Estimate(background, table, attribution.Options{Samples: 100})
		assert.ErrorContains(t, err, c.want, c.e.Name())
	}
	_, err := Exact{}.Estimate(background, badGame{21, 1}, attribution.Options{})
	assert.ErrorContains(t, err, "at most 20 players, got 21")
	_, err = KernelSHAP{}.Estimate(background, badGame{30, 1}, attribution.Options{Samples: 20})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	assert.ErrorContains(t, err, "needs 37 samples")
	g := randomNetwork(2, 3, 1).game(t, games.PenultimateOptions{})
	_, err = IntegratedGradients{Steps: 3}.Estimate(background, g, attribution.Options{})
	assert.ErrorContains(t, err, "expected a positive even number of steps, got 3")
	_, err = IntegratedGradients{Steps: -2}.Estimate(background, g, attribution.Options{})
	assert.ErrorContains(t, err, "expected a positive even number of steps, got -2")
	_, err = IntegratedGradients{Rule: 9}.Estimate(background, g, attribution.Options{})
	assert.ErrorContains(t, err, "expected one of the quadratures of Rule, got Rule(9)")
	_, err = IntegratedGradients{}.Estimate(background, g, attribution.Options{Budget: 5})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	_, err = IntegratedGradients{}.Estimate(background, g, attribution.Options{Budget: 50, Samples: 40})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	_, err = games.NewTable([]float64{1, 2, 3})
	assert.ErrorContains(t, err, "expected 2^n")
	_, err = games.NewTable([]float64{1})
	assert.Error(t, err)
	_, err = games.NewTable([]float64{1, math.NaN()})
	assert.ErrorIs(t, err, attribution.ErrNotFinite)
	_, err = games.NewMean()
	assert.Error(t, err)
	_, err = games.NewMean(table, randomTable(5, 1))
	assert.ErrorContains(t, err, "member 1: expected 6 players as of member 0, got 5")
	_, err = games.NewMean(nil)
	assert.ErrorIs(t, err, attribution.ErrNoPlayers)
}

func TestProgressCountsSamples(t *testing.T) {
	g := randomTable(6, 1)
	for _, e := range samplers() {
		last, of := 0, 0
		opt := attribution.Options{Samples: 31, Progress: func(done, total int) {
			assert.GreaterOrEqual(t, done, last, e.Name())
			last, of = done, total
		}}
		_, err := e.Estimate(background, g, opt)
		require.NoError(t, err)
		assert.Equal(t, 31, last, e.Name())
		assert.Equal(t, 31, of, e.Name())
	}
}

// A backward pass costs what the options say, and a value of a mean game costs as much as those of all its members.
func TestCostIsCounted(t *testing.T) {
	net := randomNetwork(3, 4, 1)
	g := net.game(t, games.PenultimateOptions{Value: attribution.Probability,
		Removal: attribution.RemoveByResampling([][]float64{net.z, make([]float64, 4), make([]float64, 4)})})
	est, err := GradientActivation{}.Estimate(background, g, attribution.Options{BackwardCost: 1.5})
	require.NoError(t, err)
	assert.Equal(t, 6.0, est.Forwards, "one value and one gradient of three members")
	assert.Equal(t, 3.0, est.Backwards)
	assert.Equal(t, 6+3*1.5, est.Equivalents)
	est, err = ExpectedGradients{}.Estimate(background, g, attribution.Options{Samples: 10})
	require.NoError(t, err)
	assert.Equal(t, 16.0, est.Forwards, "v(∅) and v(N) of three members, ten gradients of one")
	assert.Equal(t, 36.0, est.Equivalents)
	est, err = Permutation{}.Estimate(background, g, attribution.Options{Samples: 10})
	require.NoError(t, err)
	assert.Equal(t, 6.0+10*3, est.Forwards)
	assert.Equal(t, 0.25, costOf(t, costed{randomTable(3, 1)}))
}

type costed struct{ attribution.Game }

func (costed) ForwardsPerValue() float64 { return 0.25 }

func costOf(t *testing.T, g attribution.Game) float64 {
	est, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 10})
	require.NoError(t, err)
	return est.Forwards / float64(est.Evaluations)
}

// A mean of linear games has no sampling error when its members are not drawn, and has one when they are.
func TestMeanOfLinearGamesIsExactUnlessDrawn(t *testing.T) {
	net := randomNetwork(3, 5, 1)
	g, err := games.NewPenultimateMean(net.head, [][]float64{net.z, randomNetwork(1, 5, 2).z}, nil,
		games.PenultimateOptions{Target: attribution.TargetClass(1)})
	require.NoError(t, err)
	truth, err := ClosedForm{}.Estimate(background, g, attribution.Options{})
	require.NoError(t, err)
	est, err := Permutation{}.Estimate(background, plain{g}, attribution.Options{Samples: 3})
	require.NoError(t, err)
	assert.InDeltaSlice(t, truth.Values, est.Values, 1e-14)
	assert.InDelta(t, 0, est.MaxStdErr(), 1e-14)
	est, err = Permutation{}.Estimate(background, g, attribution.Options{Samples: 400})
	require.NoError(t, err)
	assert.Greater(t, est.MaxStdErr(), 1e-3)
}

func TestOneSampleHasNoStandardError(t *testing.T) {
	est, err := Permutation{}.Estimate(background, randomTable(4, 1), attribution.Options{Samples: 1})
	require.NoError(t, err)
	assert.True(t, math.IsNaN(est.MaxStdErr()))
	lo, _ := est.Interval(0, 0.95)
	assert.True(t, math.IsNaN(lo))
}
