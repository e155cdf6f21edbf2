package estimate

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// CoalitionGradients estimates Shapley values from gradients at random coalitions. One gradient holds the slope of
// every player's marginal contribution, where a value holds one number: with g the gradient with respect to the
// players' presence,
//
//	φ_i = mean over s of E[v(S ∪ {i}) - v(S)] ≈ mean over s of E[g_i(S) + g_i(S ∪ {i})]/2,   |S| = s = 0..n-1,
//
// by the trapezoid rule, applied while the presence of player i alone goes from 0 to 1. The coalition sizes are
// stratified. Coalitions come with their complements, so that terms of the game that are even under complementation,
// which do not change Shapley values, cancel. The samples are split into two halves. To the gradients of one half a
// polynomial is fitted: of degree five, in the few directions in which the gradients vary. Its Shapley values have a
// closed form. The polynomial is a control variate for the other half, and vice versa: only what it does not explain
// is left to sampling. Finally regression shares the efficiency residual v(N) - v(∅) - Σ φ_i among the players.
//
// The polynomial accounts for a part of the error of the trapezoid rule. The rest is measured at some samples: one
// player is toggled in the sample's first coalition and in its complement, at times in ∅ and N, drawn with a known
// probability that grows with the player's gradient. Without Unbiased, a third of the samples measure it, or all from
// four samples a player on, and a player's estimate is corrected only as far as the measured error exceeds its own
// noise. What then remains is mostly the error of players too small to be measured. It vanishes as samples grow, but
// standard errors do not include it, and therefore there are no intervals.
type CoalitionGradients struct {
	// Unbiased measures the error of the trapezoid rule at every sample and corrects by all of it. The estimate is
	// then unbiased for every game whose gradients are the derivatives of its values.
	Unbiased bool

	period int // see gradientSampler; 0 for a choice by the number of samples
}

// Name returns "coalition-gradients" or "coalition-gradients-unbiased".
func (c CoalitionGradients) Name() string {
	if c.Unbiased {
		return "coalition-gradients-unbiased"
	}
	return "coalition-gradients"
}

// Estimate implements [attribution.Estimator]. A sample is two coalitions of similar size with their complements:
// four gradients, and two more where the error of the trapezoid rule is measured. At least 4 samples are needed, so
// that a polynomial can be fitted to each half. The standard error is that of the mean of samples, from differences
// between neighbouring strata. With a target standard error, and where gradients would take more than 400 MB, the
// samples come in independent rounds, whose estimates are averaged with their numbers of samples as weights.
func (c CoalitionGradients) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, d, err := newGradientRun(c.Name(), attribution.Reduced(g), opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	r.sampled = nil
	if r.n == 1 {
		return r.sample(ctx, nil)
	}
	c, p, err := c.planned(r)
	if err != nil {
		return attribution.Estimate{}, err
	}
	s := &gradientSampler{run: r, game: d, unbiased: c.Unbiased, period: c.period, most: mostGradientSamples(r.n)}
	if err := s.ends(ctx); err != nil {
		return r.fail(ctx, err)
	}
	return s.rounds(ctx, p)
}

// rounds averages rounds of growing size until the plan is fulfilled or the target standard error is reached.
func (s *gradientSampler) rounds(ctx context.Context, p plan) (attribution.Estimate, error) {
	r := s.run
	size := s.fitting(p.samples, p.samples)
	if r.opt.TargetStdErr > 0 {
		size = min(firstRound, size)
	}
	var pooled attribution.Estimate
	for round := uint64(0); ; round++ {
		e, err := s.round(ctx, round, size)
		if sampling.Interrupted(ctx, err) {
			return r.stopped(pool(pooled, e), err)
		}
		if err != nil {
			return attribution.Estimate{}, err
		}
		pooled = pool(pooled, e)
		left := p.samples - pooled.Samples
		switch {
		case r.reached(&pooled):
			pooled.Stopped = attribution.StopTarget
			return r.finish(pooled), nil
		case left < fewestSamples:
			pooled.Stopped = p.stop
			return r.finish(pooled), nil
		}
		want := nextRound(pooled.Samples, p.samples, pooled.MaxStdErr(), r.opt.TargetStdErr) - pooled.Samples
		size = s.fitting(max(want, firstRound), left)
	}
}

// fitting is the size of a round of so many samples, or of as many as fit into memory, of those that are left.
func (s *gradientSampler) fitting(want, left int) int {
	size := min(want, left, s.most)
	if left-size < fewestSamples { // the samples left over would be too few for another round
		return left
	}
	return size
}

// mostGradientSamples bounds the memory of a round, 24 bytes for each player and sample.
func mostGradientSamples(players int) int { return max(firstRound, 1<<24/players) }

// gradientSampler takes samples of [CoalitionGradients].
type gradientSampler struct {
	run      *run
	game     attribution.Differentiable
	unbiased bool
	period   int       // one sample in so many measures the error of the trapezoid rule; 0: none does
	most     int       // samples in a round
	end      []float64 // gradients at ∅ and N [2, players]
}

// toggles reports whether sample k measures the error of the trapezoid rule.
func (s *gradientSampler) toggles(k int) bool {
	return s.period > 0 && k%s.period == s.period-1
}

// gradientPoints is the mean number of gradients that a sample takes with that period.
func gradientPoints(period int) float64 {
	if period == 0 {
		return 4
	}
	return 4 + 2/float64(period)
}

// ends takes the gradients at the empty and the grand coalition.
func (s *gradientSampler) ends(ctx context.Context) error {
	r := s.run
	alpha, values, grads := make([]float64, 2*r.n), make([]float64, 2), make([]float64, 2*r.n)
	for i := range r.n {
		alpha[r.n+i] = 1
	}
	if err := r.gradients(ctx, s.game, alpha, values, grads); err != nil {
		return err
	}
	r.empty, r.full = values[0], values[1]
	s.end = grads
	return nil
}

// gradientPair is a coalition with the mean of the gradients at the coalition and at its complement.
type gradientPair struct {
	coalition attribution.Coalition
	size      int
	mean      []float64 // [players]
}

// gradientSample is two pairs. Where the sample toggles a player, it also holds the measured error of the trapezoid
// rule for that player, averaged over a coalition and its complement.
type gradientSample struct {
	pairs  [2]gradientPair
	at     attribution.Coalition // nil where no player is toggled
	player int
	bend   float64
	scale  float64 // factor of the bend in the estimate: importance weight over the probability of drawing the player
}

// round takes samples and turns them into an estimate. When ctx ends, it uses the samples it has, and returns the
// error of ctx as well.
func (s *gradientSampler) round(ctx context.Context, round uint64, count int) (attribution.Estimate, error) {
	samples, taken, err := s.draw(ctx, round, count)
	var halves [2][]gradientSample
	for _, k := range taken {
		halves[k%2] = append(halves[k%2], samples[k])
	}
	return s.estimate(halves), err
}

// draw takes samples, and returns in ascending order which of them were taken before ctx ended.
func (s *gradientSampler) draw(ctx context.Context, round uint64, count int) (samples []gradientSample, taken []int,
	err error) {
	r := s.run
	samples = make([]gradientSample, count)
	// Evaluated in random order, any prefix is a smaller sample of the same kind.
	order := make([]int, count)
	var rng rand.PCG
	sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainGradient, round<<40)
	sampling.Permute(&rng, order)
	const chunk = 8
	crew := make([]*gradientWorker, r.opt.Workers)
	compute := func(worker, c, _ int) error {
		if crew[worker] == nil {
			crew[worker] = newGradientWorker(s, chunk)
		}
		return crew[worker].take(ctx, round, order[c*chunk:min((c+1)*chunk, count)], samples)
	}
	merge := func(c, _ int) error {
		if r.opt.Progress != nil {
			r.opt.Progress(min((c+1)*chunk, count), count)
		}
		return nil
	}
	done, err := sampling.InWaves(ctx, r.opt.Workers, 0, (count-1)/chunk+1, compute, merge)
	return samples, slices.Sorted(slices.Values(order[:min(done*chunk, count)])), err
}

// gradientWorker evaluates samples.
type gradientWorker struct {
	s                    *gradientSampler
	rng                  []rand.PCG // one for each sample, for what is drawn after its gradients
	alpha, values, grads []float64
	chance               []float64
}

func newGradientWorker(s *gradientSampler, chunk int) *gradientWorker {
	n := s.run.n
	return &gradientWorker{s: s, rng: make([]rand.PCG, chunk), alpha: make([]float64, 4*chunk*n),
		values: make([]float64, 4*chunk),
		grads:  make([]float64, 4*chunk*n), chance: make([]float64, n)}
}

// sizeInTurn is the k-th coalition size in the order 1, n-1, 2, n-2, ..., in which the size of a coalition is next to
// that of its complement.
func sizeInTurn(n, k int) int {
	if k%2 == 0 {
		return 1 + k/2
	}
	return n - 1 - k/2
}

// take evaluates the samples whose indices are in which. Each sample has a stratum of coalition sizes of its own.
func (w *gradientWorker) take(ctx context.Context, round uint64, which []int, samples []gradientSample) error {
	r, n := w.s.run, w.s.run.n
	alpha, values, grads := w.alpha[:4*len(which)*n], w.values[:4*len(which)], w.grads[:4*len(which)*n]
	for at, k := range which {
		rng := &w.rng[at]
		sampling.SeedStream(rng, r.opt.Seed, sampling.DomainGradient, round<<40+1+uint64(k))
		for p := range 2 {
			// Each half has its own strata over all sizes: the polynomial fitted to the other half must be subtracted
			// at all sizes.
			u := (float64(k/2) + sampling.Unit(rng)) / float64((len(samples)+1-k%2)/2)
			pair := gradientPair{coalition: attribution.NewCoalition(n),
				size: sizeInTurn(n, min(int(u*float64(n-1)), n-2))}
			sampling.Subset(rng, pair.coalition, n, pair.size)
			samples[k].pairs[p] = pair
			row := alpha[(4*at+2*p)*n:][:2*n]
			for i := range n {
				row[i], row[n+i] = 0, 1
				if pair.coalition.Has(i) {
					row[i], row[n+i] = 1, 0
				}
			}
		}
	}
	if err := r.gradients(ctx, w.s.game, alpha, values, grads); err != nil {
		return err
	}
	for at, k := range which {
		for p := range 2 {
			a, b := grads[(4*at+2*p)*n:][:n], grads[(4*at+2*p+1)*n:][:n]
			mean := make([]float64, n)
			for i := range mean {
				mean[i] = (a[i] + b[i]) / 2
			}
			samples[k].pairs[p].mean = mean
		}
	}
	return w.bends(ctx, which, samples)
}

// fewestSamples is the smallest number of samples with which each half has something to fit.
const fewestSamples = 4

// leastGradientSamples is the number of samples from which intervals are trusted: with fewer, the errors of the
// trapezoid rule, which are rare and large, have mostly not been seen yet.
const leastGradientSamples = 400
