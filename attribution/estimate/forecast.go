package estimate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Predict forecasts a run of the estimator under the options. Deterministic estimators are forecast from their known
// cost and the time of a few values. For the others two short pilot runs, of pilotSamples samples (0 for 64, more where
// the estimator needs more, fewer where the budget allows few) and of twice as many, separate the fixed cost from that
// of a sample; standard errors fall with the root of the samples. With opt.TargetStdErr the forecast says what reaching
// the target takes, bounded by opt.Samples or opt.Budget; otherwise what these two give. It does not foresee when
// [TopK] will be decided.
// [Recommended] is forecast as the estimator that it chooses. Seconds grow with the work of the game, but for the
// regressions ([KernelSHAP], [LeverageSHAP], [OddRegression]), whose own work is forecast by timing parts of it: that
// of solving for the players, which does not grow with the samples, or up to the cube of the pairs.
func Predict(ctx context.Context, e attribution.Estimator, g attribution.Game, opt attribution.Options,
	pilotSamples int) (attribution.Forecast, error) {
	r, err := newRun(e.Name(), g, opt)
	if err != nil {
		return attribution.Forecast{}, err
	}
	switch e := e.(type) {
	case Recommended: // chosen by opt itself: with a pilot's options another estimator might be chosen
		g = attribution.Reduced(g)
		f, err := Predict(ctx, Choose(g, opt), g, opt, pilotSamples)
		if errors.Is(err, attribution.ErrNotDifferentiable) { // the fallback of Recommended.Estimate
			return Predict(ctx, chooseByValues(g, opt), g, opt, pilotSamples)
		}
		return f, err
	case Deterministic:
		return r.predictWork(ctx, e)
	}
	if pilotSamples < 0 {
		return attribution.Forecast{}, fmt.Errorf("attribution: expected a pilot of at least 0 samples, got %d",
			pilotSamples)
	}
	if opt.Samples == 0 && opt.Budget == 0 && opt.TargetStdErr == 0 {
		return attribution.Forecast{},
			fmt.Errorf("attribution: forecast: expected a number of samples, a budget or a target standard error, " +
				"got none")
	}
	affine := false
	if p, ok := e.(piloted); ok {
		var suits int
		e, suits = p.forPilots(r)
		if affine = pilotSamples == 0; affine {
			pilotSamples = suits
		}
	}
	pilot := opt
	pilot.Budget, pilot.TargetStdErr, pilot.Progress = 0, 0, nil
	var probed attribution.Cost
	if pilotSamples == 0 {
		pilotSamples = 64
		if opt.Budget > 0 {
			pilotSamples, probed = within(ctx, e, g, pilot, opt.Budget, pilotSamples)
		}
	}
	most := maxSamples
	if l, ok := e.(interface{ mostSamples(attribution.Game) int }); ok {
		most = l.mostSamples(g)
	}
	for {
		pilot.Samples = min(pilotSamples, most)
		small, err := e.Estimate(ctx, g, pilot)
		if errors.Is(err, attribution.ErrBudget) && pilot.Samples < min(most, 1<<20) {
			pilotSamples *= 2
			continue
		}
		if err != nil {
			return attribution.Forecast{}, err
		}
		if small.DF == nil {
			return attribution.Forecast{Samples: small.Samples, Cost: small.Cost, StdErr: small.MaxStdErr(),
				Pilot: small.Cost}, nil
		}
		pilot.Samples = min(2*small.Samples, most)
		large, own, err := estimateTimed(ctx, e, g, pilot)
		if err != nil {
			return attribution.Forecast{}, err
		}
		f := extrapolate(small, large, opt, most)
		f.Pilot = f.Pilot.Add(probed)
		if affine && large.Equivalents > small.Equivalents {
			f.Seconds = linearly(small.Equivalents, small.Seconds, large.Equivalents, large.Seconds, f.Equivalents)
		}
		if t, ok := e.(ownTimed); ok && f.Samples != large.Samples && f.Samples < most {
			err = r.addOwnSeconds(ctx, t, &f, large.Cost, own)
		}
		return f, err
	}
}

// ownTimed is an estimator whose own work is not in proportion to that of the game.
type ownTimed interface {
	// timed is Estimate; it also returns the seconds of the estimator's own work.
	timed(ctx context.Context, g attribution.Game, opt attribution.Options) (e attribution.Estimate, own float64,
		err error)
	// ownSeconds forecasts the seconds of the estimator's own work in one round of samples.
	ownSeconds(ctx context.Context, g attribution.Game, samples, workers int) (float64, error)
}

// estimateTimed runs Estimate, and returns the seconds of the estimator's own work, 0 where they are not known.
func estimateTimed(ctx context.Context, e attribution.Estimator, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, float64, error) {
	if t, ok := e.(ownTimed); ok {
		return t.timed(ctx, g, opt)
	}
	est, err := e.Estimate(ctx, g, opt)
	return est, 0, err
}

// addOwnSeconds sets the seconds of a forecast to the sum of two parts: the game's, in proportion to the pilot's cost
// and time, and the estimator's own in every round.
func (r *run) addOwnSeconds(ctx context.Context, t ownTimed, f *attribution.Forecast, pilot attribution.Cost,
	own float64) error {
	start := time.Now()
	f.Seconds = max(pilot.Seconds-own, 0) * f.Equivalents / pilot.Equivalents
	for _, samples := range r.expectedRounds(f.Samples) {
		seconds, err := t.ownSeconds(ctx, r.game, samples, r.opt.Workers)
		if err != nil {
			return fmt.Errorf("attribution: forecast: %w", err)
		}
		f.Seconds += seconds
	}
	f.Pilot.Seconds += time.Since(start).Seconds()
	return nil
}

// expectedRounds returns the sizes of the rounds that add up to that many samples. With a target standard error the
// first round is that of [leverageSampler], and each further round makes the total four times as large.
func (r *run) expectedRounds(samples int) []int {
	if r.opt.TargetStdErr == 0 {
		return []int{samples}
	}
	var rounds []int
	for taken, size := 0, max(firstRound, 4*r.n); taken < samples; size = 3 * taken {
		size = min(size, samples-taken)
		rounds = append(rounds, size)
		taken += size
	}
	return rounds
}

// extrapolate makes a forecast from two runs, the second with more samples than the first.
func extrapolate(small, large attribution.Estimate, opt attribution.Options, most int) attribution.Forecast {
	f := attribution.Forecast{Samples: large.Samples, Cost: large.Cost, StdErr: large.MaxStdErr(),
		Pilot: small.Cost.Add(large.Cost)}
	more := float64(large.Samples - small.Samples)
	if more <= 0 {
		return f
	}
	perSample := (large.Equivalents - small.Equivalents) / more
	fixed := large.Equivalents - perSample*float64(large.Samples)
	want := math.Inf(1)
	if opt.TargetStdErr > 0 {
		want = float64(large.Samples) * math.Pow(large.MaxStdErr()/opt.TargetStdErr, 2)
	}
	if opt.Samples > 0 {
		want = min(want, float64(opt.Samples))
	}
	if opt.Budget > 0 {
		want = min(want, math.Floor((opt.Budget-fixed)/perSample))
	}
	want = min(max(math.Ceil(want), 1), float64(most))
	f.Samples = int(want)
	f.Equivalents = fixed + perSample*want
	further := (want - float64(large.Samples)) / more
	f.Forwards = large.Forwards + further*(large.Forwards-small.Forwards)
	f.Backwards = large.Backwards + further*(large.Backwards-small.Backwards)
	f.Seconds = large.Seconds * f.Equivalents / large.Equivalents
	f.StdErr *= math.Sqrt(float64(large.Samples) / want)
	return f
}

// predictWork forecasts a deterministic estimator by timing one small batch of each kind of work.
func (r *run) predictWork(ctx context.Context, d Deterministic) (attribution.Forecast, error) {
	values, gradients, err := d.Work(r.game, r.opt)
	if err != nil {
		return attribution.Forecast{}, err
	}
	f := attribution.Forecast{Cost: attribution.Cost{
		Forwards:    r.gameForwards*float64(values+gradients) + r.gameExtra*float64(gradients),
		Backwards:   r.gameForwards * float64(gradients),
		Equivalents: r.workCost(values, gradients),
	}}
	workers := float64(r.opt.Workers)
	if probe := min(values, 16); probe > 0 {
		start := time.Now()
		if err := r.values(ctx, nil, attribution.NewCoalitions(r.n, probe), make([]float64, probe)); err != nil {
			return attribution.Forecast{}, err
		}
		f.Seconds += time.Since(start).Seconds() * float64(values) / float64(probe) / min(workers,
			max(float64(values)/512, 1))
	}
	if probe := min(gradients, 8); probe > 0 {
		g, ok := r.game.(attribution.Differentiable)
		if !ok {
			return attribution.Forecast{}, attribution.ErrNotDifferentiable
		}
		start := time.Now()
		if err := r.gradients(ctx, g, make([]float64, probe*r.n), make([]float64, probe),
			make([]float64, probe*r.n)); err != nil {
			return attribution.Forecast{}, err
		}
		f.Seconds += time.Since(start).Seconds() * float64(gradients) / float64(probe) / min(workers,
			max(float64(gradients)/8, 1))
	}
	f.Samples, f.Pilot = max(values, gradients), r.spent()
	return f, nil
}

// regressionSeconds forecasts the solution of a regression with so many rows by timing two smaller ones, made up by
// draw: a part takes time in proportion to the rows, another is the same for all.
func regressionSeconds(ctx context.Context, rows, players, workers int,
	draw func(q *sampling.Regression, rows int)) (float64, error) {
	few := min(rows, leastRows(players)+players)
	many := min(rows, 4*few)
	one := func(rows int) (float64, error) {
		q := &sampling.Regression{N: players}
		draw(q, rows)
		q.Target = make([]float64, rows)
		var rng rand.PCG
		sampling.SeedStream(&rng, 1, sampling.DomainStrata, uint64(rows))
		for r := range q.Target {
			q.Target[r] = sampling.Unit(&rng)
		}
		best := math.Inf(1)
		for range 2 { // the first may find caches and memory cold
			start := time.Now()
			if _, _, err := q.Solve(ctx, workers); err != nil {
				return 0, err
			}
			best = min(best, time.Since(start).Seconds())
		}
		return best, nil
	}
	base, err := one(few)
	if errors.Is(err, attribution.ErrBudget) { // so few players that made-up rows may not tell them apart take no time
		return 0, nil
	}
	if err != nil || rows <= few {
		return base, err
	}
	more, err := one(many)
	return linearly(float64(few), base, float64(many), more, float64(rows)), err
}

// linearly is the value at x of the line through two points, no steeper than in proportion to the second and no less
// than a quarter as steep: a disturbed measurement would say either.
func linearly(x0, y0, x1, y1, x float64) float64 {
	proportional := y1 / x1
	slope := min(max((y1-y0)/(x1-x0), proportional/4), proportional)
	return y1 + slope*(x-x1)
}
