package estimate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Owen estimates Shapley values by the integral of the gradient of the multilinear extension (Owen 1972; sampled by
// Okhrati and Lipani 2021, equation 4 and algorithms 1 and 2),
//
//	φ_i = ∫_0^1 E[v(S_q ∪ {i}) - v(S_q \ {i})] dq,
//
// where S_q holds every player independently with probability q. One coalition serves all players: it costs 1 + n
// values.
//
// By default q is drawn uniformly within each of Levels strata of [0, 1], which makes the estimate unbiased; a sample
// is one coalition for each stratum, and the standard error is that of the mean over samples.
type Owen struct {
	// Levels is the number of strata of q, 0 for 2; with Trapezoid it is the number of intervals of the grid, 0 for
	// 10.
	Levels int
	// Halved follows every coalition by its complement, which is a draw for 1-q (Okhrati and Lipani's halved
	// sampling).
	Halved bool
	// Trapezoid takes q from the fixed grid 0, 1/Levels, ..., 1 with the weights of the trapezoid rule, as the paper
	// does. The result is biased by the error of that rule, which the standard error leaves out.
	Trapezoid bool
}

// Name returns "owen" or "owen-halved", followed by "-trapezoid" and the number of levels where they are set.
func (o Owen) Name() string {
	name := "owen"
	if o.Halved {
		name += "-halved"
	}
	if o.Trapezoid {
		name += "-trapezoid"
	}
	if o.Levels > 0 {
		name += fmt.Sprintf("-%d", o.Levels)
	}
	return name
}

// Estimate implements [attribution.Estimator]. A sample is one coalition (with Halved a complementary pair) for each
// level.
func (o Owen) Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (attribution.Estimate, error) {
	if o.Levels < 0 {
		return attribution.Estimate{}, fmt.Errorf("attribution: Owen sampling: expected at least 0 levels, got %d",
			o.Levels)
	}
	name := o.Name() // Name before the default is filled in
	if o.Levels == 0 {
		o.Levels = 2
		if o.Trapezoid {
			o.Levels = 10
		}
	}
	return sample(ctx, name, g, opt, func(r *run) (attribution.Estimate, error) {
		coalitions := o.Levels
		if o.Trapezoid {
			coalitions--
		}
		if o.Halved {
			coalitions *= 2
		}
		values := coalitions * (r.n + 1)
		a := averaging{perUnit: float64(values) * r.valueCost(), chunk: chunkUnits(values, isIncremental(g))}
		a.newWorker = func() unitWorker { return &owenWorker{owen: o, t: newToggler(r, nil), u: make([]float64, r.n)} }
		fixed := r.fixedCost()
		if o.Trapezoid {
			// The ends of the grid are not random: the marginal contributions to ∅ and to N without the player.
			ends := make([]float64, r.n)
			if err := r.gridEnds(ctx, ends); err != nil {
				return r.fail(ctx, err)
			}
			fixed += 2 * float64(r.n) * r.gameForwards
			h := 1 / float64(o.Levels)
			a.transform = func(values, stdErr []float64) {
				for i, e := range ends {
					values[i] = h * (values[i] + e/2)
					stdErr[i] *= h
				}
			}
			if coalitions == 0 {
				for i := range ends {
					ends[i] /= 2
				}
				return r.finish(attribution.Estimate{Values: ends, StdErr: make([]float64, r.n),
					Stopped: attribution.StopExact}), nil
			}
		}
		return r.average(ctx, a, fixed)
	})
}

// gridEnds writes the sum of the marginal contributions at q = 0 and q = 1.
func (r *run) gridEnds(ctx context.Context, dst []float64) error {
	s := attribution.NewCoalitions(r.n, 2*r.n)
	values := make([]float64, 2*r.n)
	for i := range r.n {
		s.Row(i).Add(i)
		s.Row(r.n + i).Fill(r.n)
		s.Row(r.n + i).Remove(i)
	}
	if err := r.values(ctx, nil, s, values); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = (values[i] - r.empty) + (r.full - values[r.n+i])
	}
	return nil
}

// owenWorker computes units of Owen sampling.
type owenWorker struct {
	owen Owen
	rng  rand.PCG
	t    *toggler
	u    []float64
}

func (w *owenWorker) units(ctx context.Context, first, count int, dst []float64) error {
	r, o := w.t.run, w.owen
	n := r.n
	w.t.reset()
	for unit0 := range count {
		sampling.SeedStream(&w.rng, r.opt.Seed, sampling.DomainUnit, uint64(first+unit0))
		member := 0
		if r.sampled != nil {
			member = sampling.Below(&w.rng, r.sampled.Members())
		}
		weight := 1 / float64(o.Levels)
		from := 0
		if o.Trapezoid {
			weight, from = 1, 1
		}
		if o.Halved {
			weight /= 2
		}
		for level := from; level < o.Levels; level++ {
			q := float64(level) / float64(o.Levels)
			if !o.Trapezoid {
				q += sampling.Unit(&w.rng) / float64(o.Levels)
			}
			c := w.t.next(member, unit0, weight)
			sampling.Bernoulli(&w.rng, c, n, q)
			if o.Halved {
				w.t.next(member, unit0, weight).Complement(c, n)
			}
		}
	}
	return w.t.evaluate(ctx, dst)
}
