package estimate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// ExpectedGradients averages the gradient over random points on straight lines that lead from the removed values to
// the sample (Erion, Janizek, Sturmfels, Lundberg and Lee 2021, equation 3). A sample draws a member of a
// [attribution.Sampled] game, such as a background row, and one point of the member's line. The estimate is unbiased
// for the members' mean Aumann-Shapley value, to which StdErr refers, but in general not for the Shapley value.
type ExpectedGradients struct{}

// Name returns "expected-gradients".
func (ExpectedGradients) Name() string { return "expected-gradients" }

// Estimate implements [attribution.Estimator]. A sample is one gradient.
func (e ExpectedGradients) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, _, err := newGradientRun(e.Name(), g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.endpoints(ctx); err != nil {
		return r.fail(ctx, err)
	}
	a := averaging{perUnit: r.gradientCost(), chunk: 16}
	a.newWorker = func() unitWorker { return &expectedWorker{run: r} }
	return r.average(ctx, a, r.fixedCost())
}

// expectedWorker computes units of expected gradients.
type expectedWorker struct {
	run           *run
	rng           rand.PCG
	alpha, values []float64
	members       []int
}

func (w *expectedWorker) units(ctx context.Context, first, count int, dst []float64) error {
	r := w.run
	if len(w.values) < count {
		w.alpha, w.values, w.members = make([]float64, count*r.n), make([]float64, count), make([]int, count)
	}
	alpha, values, members := w.alpha[:count*r.n], w.values[:count], w.members[:count]
	for u := range count {
		sampling.SeedStream(&w.rng, r.opt.Seed, sampling.DomainUnit, uint64(first+u))
		if r.sampled != nil {
			members[u] = sampling.Below(&w.rng, r.sampled.Members())
		}
		t := sampling.Unit(&w.rng)
		for i := range r.n {
			alpha[u*r.n+i] = t
		}
	}
	if r.sampled == nil {
		return r.gradients(ctx, r.game.(attribution.Differentiable), alpha, values, dst)
	}
	if err := memberGradients(ctx, r.sampled, members, alpha, values, dst); err != nil {
		return err
	}
	r.evaluations.Add(int64(count))
	r.memberGrads.Add(int64(count))
	return checkGradients(values, dst)
}

// memberGradients computes gradients of several members: in one call where the game offers that, otherwise member by
// member.
func memberGradients(ctx context.Context, g attribution.Sampled, members []int, alpha, values, grads []float64) error {
	if s, ok := g.(attribution.SampledGradients); ok {
		return s.MemberGradients(ctx, members, alpha, values, grads)
	}
	n := g.Players()
	return attribution.ByMember(members, func(member int, rows []int) error {
		d, ok := g.Member(member).(attribution.Differentiable)
		if !ok {
			return fmt.Errorf("member %d: %w", member, attribution.ErrNotDifferentiable)
		}
		a, v, gr := make([]float64, len(rows)*n), make([]float64, len(rows)), make([]float64, len(rows)*n)
		for i, r := range rows {
			copy(a[i*n:(i+1)*n], alpha[r*n:(r+1)*n])
		}
		if err := d.Gradients(ctx, a, v, gr); err != nil {
			return fmt.Errorf("member %d: %w", member, err)
		}
		for i, r := range rows {
			values[r] = v[i]
			copy(grads[r*n:(r+1)*n], gr[i*n:(i+1)*n])
		}
		return nil
	})
}
