package attribution

import "context"

// ClosedForm returns the Shapley values of a [Linear] game, v(S) = v(∅) + Σ_{i∈S} a_i, which are the a_i. It evaluates
// v(∅) and v(N) for the efficiency residual.
type ClosedForm struct{}

// Name is closed-form.
func (ClosedForm) Name() string { return "closed-form" }

// Estimate implements [Estimator]. For a game that is not linear the error is [ErrNotLinear].
func (ClosedForm) Estimate(ctx context.Context, g Game, opt Options) (Estimate, error) {
	r, err := newRun("closed-form", g, opt)
	if err != nil {
		return Estimate{}, err
	}
	if err := r.affordableWork(ClosedForm{}); err != nil {
		return Estimate{}, err
	}
	values := make([]float64, r.n)
	if l, ok := g.(Linear); !ok || !l.Shapley(values) {
		return Estimate{}, ErrNotLinear
	}
	if err := r.endpoints(ctx); err != nil {
		return r.fail(ctx, err)
	}
	return r.finish(Estimate{Values: values, StdErr: make([]float64, r.n), Stopped: StopExact}), nil
}

func (ClosedForm) work(*run) (values, gradients int, err error) { return 2, 0, nil }
