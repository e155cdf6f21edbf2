package estimate

import (
	"context"

	"github.com/line-ood/goline/attribution"
)

// ClosedForm returns the Shapley values of an [attribution.Linear] game, v(S) = v(∅) + Σ_{i∈S} a_i, which are the a_i.
// It evaluates v(∅) and v(N) for the efficiency residual.
type ClosedForm struct{}

// Name returns "closed-form".
func (ClosedForm) Name() string { return "closed-form" }

// Estimate implements [attribution.Estimator]. For a game that is not linear the error is [attribution.ErrNotLinear].
func (ClosedForm) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, err := newRun("closed-form", g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.affordableWork(ClosedForm{}); err != nil {
		return attribution.Estimate{}, err
	}
	values := make([]float64, r.n)
	if l, ok := g.(attribution.Linear); !ok || !l.Shapley(values) {
		return attribution.Estimate{}, attribution.ErrNotLinear
	}
	if err := r.endpoints(ctx); err != nil {
		return r.fail(ctx, err)
	}
	return r.finish(attribution.Estimate{Values: values, StdErr: make([]float64, r.n), Stopped: attribution.StopExact}),
		nil
}

// Work implements [Deterministic].
func (ClosedForm) Work(attribution.Game, attribution.Options) (values, gradients int, err error) {
	return 2, 0, nil
}
