package estimate

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/attribution/internal/surrogate"
)

// ProxyAdjusted makes a gradient estimate the control variate of a sampled one. From gradients at random coalitions it
// fits the polynomial of [CoalitionGradients], the proxy, whose Shapley values have a closed form, and it samples those
// of the difference between the game and the proxy from values alone, at other coalitions:
//
//	φ = φ(proxy) + φ(v - proxy)
//
// (regression-adjusted Monte Carlo, Witter, Liu and Musco 2025, with gradients where they regress on values). A pair of
// a coalition S of s players and its complement, drawn with probability p_s/C(n, s), gives every player
//
//	±(r(S) - r(N \ S))/2 · 1/(s p_s) for i ∈ S, 1/((n-s) p_s) for i ∉ S,   r = v - proxy,
//
// besides an equal share of r(N) - r(∅); p_s ∝ 1/√(s (n-s)) has the least variance where r is of the same size
// throughout. Whatever the proxy, the estimate is unbiased and its intervals are those of the sampled part; gradients
// that say little, as behind rectifiers, make it no better than sampling. For an [attribution.Sampled] game all values
// and gradients are means over all members.
type ProxyAdjusted struct{}

// Name is proxy-adjusted.
func (ProxyAdjusted) Name() string { return "proxy-adjusted" }

const (
	// pairsPerProxy is the number of pairs of values for each sample of four gradients, which cost as much as six: a
	// third of the work goes into the proxy.
	pairsPerProxy = 12
	// fewestProxy is the number of samples of gradients below which there is nothing to fit.
	fewestProxy = 2
	// targetProxy is their number where a target standard error decides on the pairs.
	targetProxy = 128
)

// Estimate implements [attribution.Estimator]. A sample is a pair of coalitions; 24 at least, for which there are four
// gradients for every twelve pairs, at coalitions of their own. The standard error is that of the mean over pairs.
func (e ProxyAdjusted) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, d, err := newGradientRun(e.Name(), attribution.Reduced(g), opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	r.sampled = nil
	if r.n == 1 {
		return r.sample(ctx, nil)
	}
	s := &gradientSampler{run: r, game: d}
	perProxy := gradientPoints(0) * r.workCost(0, 1)
	perPair := 2 * r.gameForwards
	p, err := r.plan(2*r.workCost(0, 1), perPair+perProxy/pairsPerProxy, fewestProxy*pairsPerProxy)
	if err != nil {
		return attribution.Estimate{}, err
	}
	count := min(p.samples/pairsPerProxy, mostGradientSamples(r.n))
	if r.opt.TargetStdErr > 0 {
		count = min(count, targetProxy)
	}
	if err := s.ends(ctx); err != nil {
		return r.fail(ctx, err)
	}
	samples, _, err := s.draw(ctx, 0, count)
	if err != nil {
		return r.fail(ctx, err)
	}
	proxy := surrogate.Fit(s.data(samples), surrogateSizes)
	return r.adjust(ctx, proxy, perPair, 2*r.workCost(0, 1)+float64(count)*perProxy)
}

// adjust samples what the proxy leaves of the game, after so much was spent.
func (r *run) adjust(ctx context.Context, proxy *surrogate.Odd, perPair, fixed float64) (attribution.Estimate, error) {
	all := attribution.NewCoalition(r.n)
	all.Fill(r.n)
	base := proxy.Shapley()
	share := (r.full - r.empty - 2*proxy.Value(all)) / float64(r.n)
	weights := make([]float64, r.n-1)
	for i := range weights {
		s := float64(i + 1)
		weights[i] = 1 / math.Sqrt(s*(float64(r.n)-s))
	}
	sizes := sampling.NewSizeTable(1, weights)
	a := averaging{perUnit: perPair, chunk: chunkUnits(2, false)}
	a.newWorker = func() unitWorker { return &restWorker{run: r, proxy: proxy, sizes: sizes} }
	a.transform = func(values, _ []float64) {
		for i, v := range base {
			values[i] += v + share
		}
	}
	return r.average(ctx, a, fixed)
}

// restWorker turns pairs of coalitions into unbiased estimates of the Shapley values of the game less the proxy, equal
// shares aside.
type restWorker struct {
	run    *run
	proxy  *surrogate.Odd
	sizes  sampling.SizeTable
	batch  attribution.Coalitions
	values []float64
}

// units implements [unitWorker].
func (w *restWorker) units(ctx context.Context, first, count int, dst []float64) error {
	r, n := w.run, w.run.n
	if w.batch.Len() < 2*count {
		w.batch, w.values = attribution.NewCoalitions(n, 2*count), make([]float64, 2*count)
	}
	batch, values := w.batch.Slice(0, 2*count), w.values[:2*count]
	var rng rand.PCG
	for u := range count {
		sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainUnit, uint64(first+u))
		sampling.Subset(&rng, batch.Row(2*u), n, w.sizes.Draw(&rng))
		batch.Row(2*u+1).Complement(batch.Row(2*u), n)
	}
	if err := r.values(ctx, nil, batch, values); err != nil {
		return err
	}
	for u := range count {
		c, row := batch.Row(2*u), dst[u*n:(u+1)*n]
		size := c.Size()
		rest := ((values[2*u]-values[2*u+1])/2 - w.proxy.Value(c)) / w.sizes.Probability(size)
		in, out := rest/float64(size), -rest/float64(n-size)
		for i := range row {
			row[i] = out
			if c.Has(i) {
				row[i] = in
			}
		}
	}
	return nil
}
