package estimate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// LeverageSHAP is KernelSHAP with coalitions drawn by the leverage scores of the regression, which are 1/C(n, |S|): all
// sizes are equally likely (Musco and Witter 2025, lemma 3.2 and algorithm 1). Coalitions come with their complements
// and without replacement, and each row is weighted by the kernel over its probability of being drawn.
//
// The paper decides about every pair independently, so that the number of pairs is random. Here the number is the one
// asked for: each size gets the same share, sizes with fewer pairs than their share are enumerated, and fractions of
// a pair are settled by systematic rounding, so that every pair keeps its probability of being drawn. With all
// 2^(n-1)-1 pairs the result is exact. For an [attribution.Sampled] game every value is the mean over all members.
type LeverageSHAP struct{}

// Name returns "leverageshap".
func (LeverageSHAP) Name() string { return "leverageshap" }

// Estimate implements [attribution.Estimator]. A sample is a pair of coalitions; at least a quarter more than the n-1
// unknowns are needed, or all pairs: with hardly more pairs than unknowns a regression follows the noise and errs by
// many times the values. The standard error is that of the sandwich covariance with a finite-population correction for
// each size; there are intervals from 60 pairs beyond the unknowns on. With a target standard error the samples come in
// independent rounds whose estimates are pooled by their numbers of samples.
func (l LeverageSHAP) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	e, _, err := l.timed(ctx, g, opt)
	return e, err
}

// timed implements [ownTimed].
func (l LeverageSHAP) timed(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, float64, error) {
	r, err := newRun(l.Name(), g, opt)
	if err != nil {
		return attribution.Estimate{}, 0, err
	}
	e, err := r.leverage(ctx, leastRows(r.n), r.solution)
	return e, r.solving, err
}

// ownSeconds implements [ownTimed].
func (LeverageSHAP) ownSeconds(ctx context.Context, g attribution.Game, pairs, workers int) (float64, error) {
	return regressionSeconds(ctx, pairs, g.Players(), workers, func(q *sampling.Regression, rows int) {
		drawLeverage(q, 1, 0, rows)
	})
}

// leverage draws pairs of coalitions by leverage scores, least of them or more, and calls solve to estimate from
// them.
func (r *run) leverage(ctx context.Context, least int, solve solver) (attribution.Estimate, error) {
	r.sampled = nil
	return r.sample(ctx, func(r *run) (attribution.Estimate, error) {
		l := leverageSampler{run: r, least: min(least, pairCount(r.n)), solve: solve}
		p, err := r.plan(r.fixedCost(), 2*r.gameForwards, l.least)
		if err != nil {
			return attribution.Estimate{}, err
		}
		if all := pairCount(r.n); p.samples >= all {
			// A number of samples beyond all pairs cannot be taken without replacement.
			if r.opt.Samples > all {
				return attribution.Estimate{},
					fmt.Errorf("attribution: expected at most the %d pairs of %d players, got %d", all, r.n,
						r.opt.Samples)
			}
			if r.opt.TargetStdErr == 0 {
				p = plan{all, attribution.StopExact}
			}
		}
		return l.rounds(ctx, p)
	})
}

// solver turns evaluated pairs into an estimate.
type solver func(context.Context, *sampling.Regression) (attribution.Estimate, error)

// leverageSampler draws and evaluates pairs of coalitions.
type leverageSampler struct {
	*run
	least int // pairs of a round
	solve solver
}

// mostSamples is the number of different pairs.
func (LeverageSHAP) mostSamples(g attribution.Game) int { return pairCount(g.Players()) }

// rounds averages rounds of growing size until the plan is fulfilled or the target standard error is reached.
func (r *leverageSampler) rounds(ctx context.Context, p plan) (attribution.Estimate, error) {
	size, all := p.samples, pairCount(r.n)
	if r.opt.TargetStdErr > 0 {
		size = min(max(firstRound, 4*r.n), size, all)
	}
	var pooled attribution.Estimate
	taken := 0
	for round := uint64(0); ; round++ {
		e, err := r.round(ctx, round, size)
		taken += size
		switch {
		case sampling.Interrupted(ctx, err):
			return r.stopped(pool(pooled, e), err)
		case err != nil && (r.opt.TargetStdErr == 0 || !errors.Is(err, attribution.ErrBudget)):
			return attribution.Estimate{}, err
		}
		if size == all {
			e.StdErr, e.DF, e.Stopped = make([]float64, r.n), nil, attribution.StopExact
			return r.finish(e), nil
		}
		pooled = pool(pooled, e)
		if r.reached(&pooled) {
			pooled.Stopped = attribution.StopTarget
			return r.finish(pooled), nil
		}
		left := p.samples - taken
		if left < r.least {
			pooled.Stopped = p.stop
			return r.finish(pooled), nil
		}
		want := nextRound(taken, p.samples, pooled.MaxStdErr(), r.opt.TargetStdErr) - taken
		size = min(max(want, 4*r.n), left, all)
	}
}

// pool averages two independent estimates with their numbers of samples as weights. An estimate without values does
// not count.
func pool(a, b attribution.Estimate) attribution.Estimate {
	switch {
	case a.Values == nil:
		return b
	case b.Values == nil:
		return a
	}
	total := float64(a.Samples + b.Samples)
	u, v := float64(a.Samples)/total, float64(b.Samples)/total
	e := attribution.Estimate{Samples: a.Samples + b.Samples, LeastSamples: a.LeastSamples}
	for i := range a.Values {
		e.Values = append(e.Values, u*a.Values[i]+v*b.Values[i])
		e.StdErr = append(e.StdErr, math.Hypot(u*a.StdErr[i], v*b.StdErr[i]))
		e.DF = append(e.DF, a.DF[i]+b.DF[i])
	}
	return e
}

// round draws and evaluates pairs and estimates from them. When ctx ends, it uses the pairs evaluated so far, and
// returns the error of ctx as well.
func (r *leverageSampler) round(ctx context.Context, round uint64, pairs int) (attribution.Estimate, error) {
	q := &sampling.Regression{N: r.n}
	drawLeverage(q, r.opt.Seed, round, pairs)
	target := make([]float64, pairs)
	// Pairs are evaluated in random order, so that those finished when ctx ends are a smaller sample of the same
	// kind.
	order := make([]int, pairs)
	var rng rand.PCG
	sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainLeverage, 2*round+1)
	sampling.Permute(&rng, order)
	const chunk = 256
	workers := r.opt.Workers
	compute := func(_, c, _ int) error {
		part := order[c*chunk : min((c+1)*chunk, pairs)]
		rows, y := attribution.NewCoalitions(r.n, len(part)), make([]float64, len(part))
		for i, p := range part {
			copy(rows.Row(i), q.Rows.Row(p))
		}
		if err := r.kernelTargets(ctx, make([]int, len(part)), true, rows, y); err != nil {
			return err
		}
		for i, p := range part {
			target[p] = y[i]
		}
		return nil
	}
	merge := func(c, _ int) error {
		if r.opt.Progress != nil {
			r.opt.Progress(min((c+1)*chunk, pairs), pairs)
		}
		return nil
	}
	done, err := sampling.InWaves(ctx, workers, 0, (pairs-1)/chunk+1, compute, merge)
	if err != nil && !sampling.Interrupted(ctx, err) {
		return attribution.Estimate{}, err
	}
	q.Target = target
	if kept := min(done*chunk, pairs); kept < pairs {
		q.Keep(order[:kept], float64(kept)/float64(pairs))
	}
	e, solveErr := r.solve(context.WithoutCancel(ctx), q)
	if err != nil {
		return e, err
	}
	return e, solveErr
}

// pairCount is the number of pairs of a coalition and its complement, without the pair ∅ and N; maxSamples when there
// are more.
func pairCount(n int) int {
	if n > 52 {
		return maxSamples
	}
	return 1<<(n-1) - 1
}

// drawLeverage fills in rows, weights and finite-population corrections for the given number of pairs, ordered by size.
func drawLeverage(q *sampling.Regression, seed, round uint64, pairs int) {
	n := q.N
	quota := leverageQuota(n, pairs)
	var rng rand.PCG
	sampling.SeedStream(&rng, seed, sampling.DomainLeverage, 2*round)
	counts := roundSystematically(&rng, quota, pairs)
	q.Rows = attribution.NewCoalitions(n, pairs)
	at := 0
	for i, count := range counts {
		size := i + 1
		weight, unsampled := leverageWeight(n, size, quota[i]), 1-quota[i]/sampling.ClassPairs(n, size)
		sampling.DistinctSubsets(&rng, q.Rows.Slice(at, at+count), size, sampling.MaxRank)
		for range count {
			q.Weight = append(q.Weight, weight)
			q.Unsampled = append(q.Unsampled, max(unsampled, 0))
		}
		at += count
	}
}

// leverageWeight is the kernel of a pair over its probability of being drawn, up to a constant:
// 1/(C(n,s) s (n-s)) times the number of pairs of that size over the quota.
func leverageWeight(n, size int, quota float64) float64 {
	w := 1 / (float64(size) * float64(n-size) * quota)
	if 2*size == n {
		w /= 2
	}
	return w
}

// leverageQuota shares the pairs among the sizes 1..n/2 in proportion to their leverage: all sizes get the same,
// except half of it for size n/2 with even n, whose complements have the same size. No size gets more pairs than it
// has.
func leverageQuota(n, pairs int) []float64 {
	quota := make([]float64, n/2)
	open := make([]bool, len(quota))
	for i := range open {
		open[i] = true
	}
	left := float64(pairs)
	for {
		mass := 0.0
		for i := range quota {
			if open[i] {
				mass += leverageMass(n, i+1)
			}
		}
		full := false
		for i := range quota {
			if open[i] && left*leverageMass(n, i+1)/mass >= sampling.ClassPairs(n, i+1) {
				quota[i], open[i], full = sampling.ClassPairs(n, i+1), false, true
			}
		}
		if !full {
			for i := range quota {
				if open[i] {
					quota[i] = left * leverageMass(n, i+1) / mass
				}
			}
			return quota
		}
		left = float64(pairs)
		for i := range quota {
			if !open[i] {
				left -= quota[i]
			}
		}
	}
}

func leverageMass(n, size int) float64 {
	if 2*size == n {
		return 0.5
	}
	return 1
}

// roundSystematically rounds quotas that sum to total to whole numbers with the same sum. Each is the floor or the
// ceiling of its quota, and its expectation is the quota.
func roundSystematically(rng *rand.PCG, quota []float64, total int) []int {
	counts := make([]int, len(quota))
	rest := total
	for i, q := range quota {
		counts[i] = int(math.Floor(q))
		rest -= counts[i]
	}
	u, sum, given := sampling.Unit(rng), 0.0, 0
	last := -1
	for i, q := range quota {
		fraction := q - math.Floor(q)
		if fraction == 0 {
			continue
		}
		last = i
		sum += fraction
		if int(math.Floor(sum+u)) > given && given < rest {
			counts[i]++
			given++
		}
	}
	// Rounding errors in the sum of the fractions can leave one pair over.
	if given < rest {
		counts[last] += rest - given
	}
	return counts
}
