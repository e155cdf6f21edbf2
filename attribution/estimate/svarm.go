package estimate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// SVARM estimates Shapley values without marginal contributions (Kolpaczki, Bengs, Muschalik and Hüllermeier 2024):
// φ_i is the difference of the mean values of coalitions with and without player i, so that one coalition updates the
// estimates of all players. Values enter as v(S) - v(∅).
//
// A warm-up gives every mean one value before sampling begins; the estimate is unbiased. Both means of a player come
// from different coalitions, so that the standard error is the square root of the sum of their variances.
type SVARM struct {
	// Stratified keeps one mean for each player, coalition size and side (Stratified SVARM, algorithm 2), with the
	// sizes 0, 1, n-1 and n evaluated exactly. Sizes are drawn in proportion to 1/min(s, n-s), so that the rarer side
	// of every size is updated equally often. It keeps 2 n² means in memory and warms up with O(n log n) values.
	// Without it (algorithm 1) there are two means for each player, fed by coalitions drawn from two distributions,
	// and the warm-up takes 2 n values.
	Stratified bool
}

// Name returns "svarm" or "svarm-stratified".
func (s SVARM) Name() string {
	if s.Stratified {
		return "svarm-stratified"
	}
	return "svarm"
}

// Estimate implements [attribution.Estimator]. A sample is one coalition after the warm-up; without Stratified a pair
// of them, one of each distribution. The warm-up counts towards the budget. A mean with a single value takes its
// variance from the other players' means of the same size.
func (s SVARM) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	return sample(ctx, s.Name(), g, opt, func(r *run) (attribution.Estimate, error) {
		if s.Stratified {
			return r.svarm(ctx, newSizeStrata(r))
		}
		return r.svarm(ctx, newTwoMeans(r))
	})
}

// svarmStrata is what differs between the two forms of SVARM.
type svarmStrata interface {
	// warmUp returns the coalitions of the warm-up.
	warmUp(rng *rand.PCG) []strataUpdate
	// exhausted reports whether the warm-up has evaluated all strata exactly, so that nothing is left to sample.
	exhausted() bool
	// perSample is the number of coalitions of a sample.
	perSample() int
	// draw writes a sample's coalitions.
	draw(rng *rand.PCG, rows attribution.Coalitions)
	// update adds the value of coalition j of a sample to the means.
	update(j int, c attribution.Coalition, value float64)
	// record adds the value of a warm-up coalition to the means.
	record(u strataUpdate, value float64)
	// estimate writes the values, their variances, and degrees of freedom, NaN where they are not known.
	estimate(values, variance, df []float64)
}

// strataUpdate is a warm-up coalition and the players whose means it updates, those in only: players of the coalition
// update the mean with them, other players the mean without them.
type strataUpdate struct {
	coalition attribution.Coalition
	only      attribution.Coalition
}

// svarm runs the warm-up and then samples.
func (r *run) svarm(ctx context.Context, strata svarmStrata) (attribution.Estimate, error) {
	var rng rand.PCG
	sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainWarmUp, 0)
	updates := strata.warmUp(&rng)
	fixed := r.fixedCost() + float64(len(updates))*r.valueCost()
	if err := r.affordable(fixed); err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.warmUp(ctx, strata, updates, &rng); err != nil {
		return r.fail(ctx, err)
	}
	report := func(samples int, stop attribution.Stop) attribution.Estimate {
		e := attribution.Estimate{Samples: samples, LeastSamples: leastUnits, Stopped: stop,
			Values: make([]float64, r.n), StdErr: make([]float64, r.n), DF: make([]float64, r.n)}
		strata.estimate(e.Values, e.StdErr, e.DF)
		for i, v := range e.StdErr {
			e.StdErr[i] = math.Sqrt(v)
		}
		return e
	}
	if strata.exhausted() {
		e := report(0, attribution.StopExact)
		e.DF = nil
		return r.finish(e), nil
	}
	per := strata.perSample()
	p, err := r.plan(fixed, float64(per)*r.valueCost(), 0)
	if err != nil {
		return attribution.Estimate{}, err
	}
	chunk := max(256/per, 1)
	workers := r.opt.Workers
	type part struct {
		rows    attribution.Coalitions
		members []int
		values  []float64
	}
	parts := make([]part, sampling.Slots(workers))
	size := func(c int) int { return min(chunk, p.samples-c*chunk) }
	samples := 0
	compute := func(_, c, slot int) error {
		b := &parts[slot]
		if b.values == nil {
			*b = part{attribution.NewCoalitions(r.n, chunk*per), make([]int, chunk*per), make([]float64, chunk*per)}
		}
		var rng rand.PCG
		count := size(c)
		for u := range count {
			sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainUnit, uint64(c*chunk+u))
			for j := range per {
				if r.sampled != nil {
					b.members[u*per+j] = sampling.Below(&rng, r.sampled.Members())
				}
			}
			strata.draw(&rng, b.rows.Slice(u*per, (u+1)*per))
		}
		return r.normalised(ctx, b.members[:count*per], b.rows.Slice(0, count*per), b.values[:count*per])
	}
	merge := func(c, slot int) error {
		for i, v := range parts[slot].values[:size(c)*per] {
			strata.update(i%per, parts[slot].rows.Row(i), v)
		}
		samples += size(c)
		if r.opt.Progress != nil {
			r.opt.Progress(samples, known(p.samples))
		}
		return nil
	}
	round := p.samples
	if r.opt.TargetStdErr > 0 {
		round = min(max(firstRound, 4*r.n), round)
	}
	for done := 0; ; {
		to := 0
		if round > 0 {
			to = (round-1)/chunk + 1
		}
		merged, err := sampling.InWaves(ctx, workers, done, to, compute, merge)
		done += merged
		if sampling.Interrupted(ctx, err) {
			return r.stopped(report(samples, attribution.StopInterrupted), err)
		}
		if err != nil {
			return attribution.Estimate{}, err
		}
		e := report(samples, p.stop)
		if samples >= p.samples {
			return r.finish(e), nil
		}
		if e.MaxStdErr() <= r.opt.TargetStdErr {
			e.Stopped = attribution.StopTarget
			return r.finish(e), nil
		}
		round = nextRound(samples, p.samples, e.MaxStdErr(), r.opt.TargetStdErr)
	}
}

// warmUp evaluates and records the coalitions of the warm-up.
func (r *run) warmUp(ctx context.Context, strata svarmStrata, updates []strataUpdate, rng *rand.PCG) error {
	rows, members := attribution.NewCoalitions(r.n, len(updates)), make([]int, len(updates))
	for i, u := range updates {
		copy(rows.Row(i), u.coalition)
		if r.sampled != nil {
			members[i] = sampling.Below(rng, r.sampled.Members())
		}
	}
	values := make([]float64, len(updates))
	if err := r.normalised(ctx, members, rows, values); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	for i, u := range updates {
		strata.record(u, values[i])
	}
	return nil
}

// normalised writes v(S) - v(∅), each in the game of its member.
func (r *run) normalised(ctx context.Context, members []int, rows attribution.Coalitions, values []float64) error {
	ask := members
	if r.sampled == nil {
		ask = nil
	}
	if err := r.values(ctx, ask, rows, values); err != nil {
		return err
	}
	for i := range values {
		empty, _ := r.ends(members[i])
		values[i] -= empty
	}
	return nil
}

// twoMeans is the state of SVARM: for each player the mean over coalitions with and without it.
type twoMeans struct {
	run           *run
	with, without []sampling.Scalar
	// size of a coalition that holds the player, 1..n; n minus it for one that does not
	sizes sampling.SizeTable
}

func newTwoMeans(r *run) *twoMeans {
	weights := make([]float64, r.n)
	for i := range weights {
		weights[i] = 1 / float64(i+1)
	}
	return &twoMeans{run: r, with: make([]sampling.Scalar, r.n), without: make([]sampling.Scalar, r.n),
		sizes: sampling.NewSizeTable(1, weights)}
}

func (t *twoMeans) perSample() int { return 2 }

func (t *twoMeans) exhausted() bool { return false }

// warmUp draws for each player a uniformly random size and a coalition of others of that size. With the player added
// it is a draw from the distribution of coalitions that hold the player.
func (t *twoMeans) warmUp(rng *rand.PCG) []strataUpdate {
	n := t.run.n
	var updates []strataUpdate
	order := make([]int, n)
	for i := range n {
		for _, with := range []bool{true, false} {
			sampling.Permute(rng, order)
			u := strataUpdate{attribution.NewCoalition(n), attribution.NewCoalition(n)}
			u.only.Add(i)
			size := sampling.Below(rng, n)
			for _, p := range order {
				if p != i && size > 0 {
					u.coalition.Add(p)
					size--
				}
			}
			if with {
				u.coalition.Add(i)
			}
			updates = append(updates, u)
		}
	}
	return updates
}

func (t *twoMeans) draw(rng *rand.PCG, rows attribution.Coalitions) {
	n := t.run.n
	sampling.Subset(rng, rows.Row(0), n, t.sizes.Draw(rng))
	sampling.Subset(rng, rows.Row(1), n, n-t.sizes.Draw(rng))
}

func (t *twoMeans) update(j int, c attribution.Coalition, value float64) {
	for i := range t.run.n {
		switch in := c.Has(i); {
		case in && j == 0:
			t.with[i].Add(value)
		case !in && j == 1:
			t.without[i].Add(value)
		}
	}
}

func (t *twoMeans) record(u strataUpdate, value float64) {
	for _, i := range u.only.AppendMembers(nil) {
		if u.coalition.Has(i) {
			t.with[i].Add(value)
		} else {
			t.without[i].Add(value)
		}
	}
}

func (t *twoMeans) estimate(values, variance, df []float64) {
	for i := range values {
		var sum satterthwaite
		values[i] = t.with[i].Mean - t.without[i].Mean
		sum.add(1, t.with[i], math.NaN())
		sum.add(1, t.without[i], math.NaN())
		variance[i], df[i] = sum.variance, sum.df()
	}
}

// satterthwaite sums the variances of independent means and their degrees of freedom (Satterthwaite 1946).
type satterthwaite struct{ variance, squares float64 }

// add adds weight times the mean of s. With fewer than two values the variance of s is taken to be fallback.
func (a *satterthwaite) add(weight float64, s sampling.Scalar, fallback float64) {
	v, df := fallback, 1.0
	if s.Count > 1 {
		v, df = s.M2/float64(s.Count-1), float64(s.Count-1)
	}
	v *= weight * weight / float64(s.Count)
	a.variance += v
	a.squares += v * v / df
}

// df is the approximate number of degrees of freedom, +Inf where all variances are zero.
func (a *satterthwaite) df() float64 {
	if a.squares == 0 {
		return math.Inf(1)
	}
	return a.variance * a.variance / a.squares
}
