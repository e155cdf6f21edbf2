package estimate

import (
	"context"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// CoalitionGradients estimates Shapley values from gradients at random coalitions. One gradient holds the slope of
// every player's marginal contribution, where a value holds one number: with g the gradient with respect to the
// players' presence,
//
//	φ_i = mean over s of E[v(S ∪ {i}) - v(S)] ≈ mean over s of E[g_i(S) + g_i(S ∪ {i})]/2,   |S| = s = 0..n-1,
//
// the trapezoid rule on the way of the player's own presence from 0 to 1. Sizes are stratified, and coalitions come
// with their complements, which leaves the odd part of the game. A polynomial of degree five in the few directions in
// which the gradients vary, whose Shapley values have a closed form, is fitted to half of the gradients and taken off
// the other half, and the other way round, so that only what it does not explain is sampled. At last the residual v(N)
// - v(∅) - Σ φ_i is shared out by regression.
//
// The polynomial accounts for a part of the error of the trapezoid rule; the rest is measured at some samples, at the
// first coalition and its complement with one player toggled, drawn with a known probability that grows with the
// player's gradient. Without Unbiased a third of the samples do so, and a player is corrected as far as the error
// stands out from its own noise: most of what is left is that of players too small to be seen. Standard errors do not
// include it, so that there are no intervals.
type CoalitionGradients struct {
	// Unbiased measures the error of the trapezoid rule at every sample and corrects by all of it. The estimate is then
	// unbiased for every game whose gradients are those of its values.
	Unbiased bool
}

// Name is coalition-gradients, or coalition-gradients-unbiased.
func (c CoalitionGradients) Name() string {
	if c.Unbiased {
		return "coalition-gradients-unbiased"
	}
	return "coalition-gradients"
}

// Estimate implements [attribution.Estimator]. A sample is two coalitions of similar size with their complements, four
// gradients, and two for each measured error; at least 4 are needed, so that each half has gradients to fit. All
// gradients are held in memory, 8 bytes for each entry. The standard error is that of the mean of samples, from
// differences between neighbouring strata. With a target standard error the samples come in independent rounds whose
// estimates are pooled by their numbers of samples.
func (c CoalitionGradients) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, err := newRun(c.Name(), g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	d, ok := g.(attribution.Differentiable)
	if !ok {
		return attribution.Estimate{}, attribution.ErrNotDifferentiable
	}
	r.sampled = nil
	if r.n == 1 {
		return r.sample(ctx, nil)
	}
	s := &gradientSampler{run: r, game: d, unbiased: c.Unbiased}
	p, err := r.plan(2*r.workCost(0, 1), s.points()*r.workCost(0, 1), fewestSamples)
	if err != nil {
		return attribution.Estimate{}, err
	}
	if err := s.ends(ctx); err != nil {
		return r.fail(ctx, err)
	}
	return s.rounds(ctx, p)
}

// rounds pools rounds of growing size until the plan or the target says stop.
func (s *gradientSampler) rounds(ctx context.Context, p plan) (attribution.Estimate, error) {
	r := s.run
	size := p.samples
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
		size = min(max(want, firstRound), left)
		if left-size < fewestSamples { // a rest that could not be a round
			size = left
		}
	}
}

// gradientSampler takes samples of [CoalitionGradients].
type gradientSampler struct {
	run      *run
	game     attribution.Differentiable
	unbiased bool
	end      []float64 // mean of the gradients at ∅ and N [players]
}

// togglePeriod is the number of samples of which one measures the error of the trapezoid rule where not all do.
const togglePeriod = 3

// toggles reports whether sample k measures the error of the trapezoid rule. The period is odd, so that both halves do.
func (s *gradientSampler) toggles(k int) bool { return s.unbiased || k%togglePeriod == togglePeriod-1 }

// points is the number of gradients of a sample, on average.
func (s *gradientSampler) points() float64 {
	if s.unbiased {
		return 6
	}
	return 4 + 2./togglePeriod
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
	s.end = make([]float64, r.n)
	for i := range s.end {
		s.end[i] = (grads[i] + grads[r.n+i]) / 2
	}
	return nil
}

// gradientPair is a coalition with the mean of the gradients there and at its complement.
type gradientPair struct {
	coalition attribution.Coalition
	size      int
	mean      []float64 // [players]
}

// gradientSample is two pairs and, where it toggles, the error of the trapezoid rule for one player at the first
// coalition and its complement, over the probability with which the player was drawn.
type gradientSample struct {
	pairs   [2]gradientPair
	toggled bool
	player  int
	bend    float64
	scale   float64 // of the bend: importance over probability
}

// round takes samples and turns them into an estimate. When ctx ends it does so with those that it has, and returns the
// error of ctx as well.
func (s *gradientSampler) round(ctx context.Context, round uint64, count int) (attribution.Estimate, error) {
	r := s.run
	samples := make([]gradientSample, count)
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
	var halves [2][]gradientSample
	for _, k := range slices.Sorted(slices.Values(order[:min(done*chunk, count)])) {
		halves[k%2] = append(halves[k%2], samples[k])
	}
	return s.estimate(halves), err
}

// gradientWorker evaluates samples.
type gradientWorker struct {
	s                    *gradientSampler
	rng                  []rand.PCG // of each sample, for what is drawn after its gradients
	alpha, values, grads []float64
	chance               []float64
}

func newGradientWorker(s *gradientSampler, chunk int) *gradientWorker {
	n := s.run.n
	return &gradientWorker{s: s, rng: make([]rand.PCG, chunk), alpha: make([]float64, 4*chunk*n),
		values: make([]float64, 4*chunk),
		grads:  make([]float64, 4*chunk*n), chance: make([]float64, n)}
}

// sizeInTurn is coalition size number k of n-1 in the order 1, n-1, 2, n-2, ...: a coalition and its complement are
// neighbours.
func sizeInTurn(n, k int) int {
	if k%2 == 0 {
		return 1 + k/2
	}
	return n - 1 - k/2
}

// take evaluates the named samples, each in a stratum of its own.
func (w *gradientWorker) take(ctx context.Context, round uint64, which []int, samples []gradientSample) error {
	r, n := w.s.run, w.s.run.n
	alpha, values, grads := w.alpha[:4*len(which)*n], w.values[:4*len(which)], w.grads[:4*len(which)*n]
	for at, k := range which {
		rng := &w.rng[at]
		sampling.SeedStream(rng, r.opt.Seed, sampling.DomainGradient, round<<40+1+uint64(k))
		for p := range 2 {
			// Each half has strata of its own over all sizes: what is fitted to the other half must be taken off at all
			// of them.
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

// evenShare is the probability with which the player of a bend is drawn evenly from all players, which bounds the
// weight of those whose gradients are small.
const evenShare = 0.1

// draw turns the squares of a sample's gradients into probabilities, mixes in those of the chunk's, and an even share,
// and draws a player by a number from [0, 1).
func (w *gradientWorker) draw(typical []float64, u float64) int {
	n := len(typical)
	own, all := floats.Sum(w.chance), floats.Sum(typical)
	sum, player := 0.0, -1
	for i, t := range typical {
		c := 1 / float64(n)
		if own > 0 {
			c = evenShare/float64(n) + (1-evenShare)/2*(w.chance[i]/own+t/all)
		}
		w.chance[i] = c
		if sum += c; player < 0 && (u < sum || i == n-1) {
			player = i
		}
	}
	return player
}

// bends draws one player for each sample that toggles, toggles it and measures the error of the trapezoid rule on its
// way.
func (w *gradientWorker) bends(ctx context.Context, which []int, samples []gradientSample) error {
	r, n := w.s.run, w.s.run.n
	typical := make([]float64, n)
	for p := range 4 * len(which) {
		for i, g := range w.grads[p*n:][:n] {
			typical[i] += g * g
		}
	}
	var toggled []int // places among which
	var points []float64
	for at, k := range which {
		if !w.s.toggles(k) {
			continue
		}
		s := &samples[k]
		clear(w.chance)
		for p := range 4 {
			for i, g := range w.grads[(4*at+p)*n:][:n] {
				w.chance[i] += g * g
			}
		}
		s.toggled, s.player = true, w.draw(typical, sampling.Unit(&w.rng[at]))
		others := s.pairs[0].size
		if s.pairs[0].coalition.Has(s.player) {
			others--
		}
		// The size without the player is that of one or two of the sizes drawn from, and uniform over 0..n-1 in the
		// Shapley value.
		s.scale = float64(n-1) / float64(n+1)
		if others == 0 || others == n-1 {
			s.scale = float64(n - 1)
		}
		s.scale /= w.chance[s.player]
		toggled = append(toggled, at)
		for side := range 2 { // the coalition and its complement, so that only the odd part is left
			points = append(points, w.alpha[(4*at+side)*n:][:n]...)
			own := &points[len(points)-n+s.player]
			*own = 1 - *own
		}
	}
	if len(toggled) == 0 {
		return nil
	}
	values, after := make([]float64, 2*len(toggled)), make([]float64, len(points))
	if err := r.gradients(ctx, w.s.game, points, values, after); err != nil {
		return err
	}
	for j, at := range toggled {
		s := &samples[which[at]]
		s.bend = 0
		for side := range 2 {
			from, to := 4*at+side, 2*j+side
			moved := values[to] - w.values[from]
			if w.alpha[from*n+s.player] == 1 {
				moved = -moved
			}
			s.bend += moved/2 - (w.grads[from*n+s.player]+after[to*n+s.player])/4
		}
	}
	return nil
}

// fewestSamples are those that leave each half something to fit.
const fewestSamples = 4

// leastGradientSamples is the number of samples from which intervals are to be believed: with fewer, the errors of the
// trapezoid rule, which are rare and large, have mostly not been seen yet.
const leastGradientSamples = 400
