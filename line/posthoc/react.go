package posthoc

import (
	"context"

	"github.com/line-ood/goline/internal/quantile"
)

var reactParams = []Parameter{{
	Name: "percentile", Default: 90, Min: 0, Max: 100, Grid: []float64{85, 90, 95, 99}, Doc: "percentile of all ID features at which features are clipped",
}}

// react is ReAct of Sun et al. (NeurIPS 2021): the energy of W min(z, t) + b, with t a percentile of all entries of
// the in-distribution features.
type react struct {
	base
	percentile float64
	head       *dense // nil before Fit
	threshold  float64
}

func newReact(params map[string]float64, workers int) Method {
	return &react{base: base{"react", params, workers}, percentile: params["percentile"]}
}

func (m *react) Fit(ctx context.Context, head Head, id Samples) error {
	if err := m.checkFit(head, id); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t, err := quantile.Percentile(id.Features, m.percentile)
	if err != nil {
		return m.errorf("%w", err)
	}
	m.head, m.threshold = newDense(head), t
	return nil
}

func (m *react) Score(ctx context.Context, s Samples, dst []float64) error {
	if m.head == nil {
		return m.errorf("%w", ErrNotFitted)
	}
	if err := m.checkScore(s, dst); err != nil {
		return err
	}
	if err := m.checkShape(s, m.head.classes, m.head.features); err != nil {
		return err
	}
	clip := func(z float64) float64 { return min(z, m.threshold) }
	return energies(ctx, m.head, s, clip, dst, m.workers)
}
