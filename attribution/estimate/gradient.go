package estimate

import (
	"context"

	"github.com/line-ood/goline/attribution"
)

// GradientActivation is gradient × activation: the value's derivative with respect to each player's activation, times
// the difference between present and removed, at the grand coalition: (z_i - removed_i) ∂v/∂z_i. For the logit of a
// linear layer and removal to zero it is the exact Shapley value, and its class mean is LINe's C (Ahn, Park and Kim
// 2023). Elsewhere it is an approximation of unknown error: StdErr is zero and DF nil.
type GradientActivation struct{}

// Name returns "gradient-activation".
func (GradientActivation) Name() string { return "gradient-activation" }

// Estimate implements [attribution.Estimator]: one gradient, and one value for the efficiency residual.
func (GradientActivation) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, d, err := newGradientRun("gradient-activation", g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.affordableWork(GradientActivation{}); err != nil {
		return attribution.Estimate{}, err
	}
	alpha := make([]float64, r.n)
	for i := range alpha {
		alpha[i] = 1
	}
	full, values := make([]float64, 1), make([]float64, r.n)
	if err := r.gradients(ctx, d, alpha, full, values); err != nil {
		return r.fail(ctx, err)
	}
	empty := make([]float64, 1)
	if err := r.values(ctx, nil, attribution.NewCoalitions(r.n, 1), empty); err != nil {
		return r.fail(ctx, err)
	}
	r.empty, r.full = empty[0], full[0]
	return r.finish(attribution.Estimate{Values: values, StdErr: make([]float64, r.n), Samples: 1,
		Stopped: attribution.StopExact}), nil
}

// Work implements [Deterministic].
func (GradientActivation) Work(attribution.Game, attribution.Options) (values, gradients int, err error) {
	return 1, 1, nil
}
