package posthoc

import (
	"context"

	"github.com/line-ood/goline/internal/quantile"
)

var diceParams = []Parameter{{
	Name: "p", Default: 90, Min: 0, Max: 100, Grid: []float64{10, 30, 50, 70, 90}, Doc: "percentage of weights that are dropped (ImageNet: 70)",
}}

// dice is DICE of Sun and Li (ECCV 2022): the energy of M*W z + b, where M keeps a weight iff its mean contribution
// E[z]_i W_ki over the in-distribution samples lies strictly above the p-th percentile of all of them.
type dice struct {
	base
	p    float64
	head *sparse // nil before Fit
}

func newDice(params map[string]float64, workers int) Method {
	return &dice{base: base{"dice", params, workers}, p: params["p"]}
}

func (m *dice) Fit(ctx context.Context, head Head, id Samples) error {
	if err := m.checkFit(head, id); err != nil {
		return err
	}
	mean, err := meanFeatures(ctx, id, m.workers)
	if err != nil {
		return err
	}
	contribution := make([]float64, len(head.Weight))
	for i, w := range head.Weight {
		contribution[i] = mean[i%head.Dim] * float64(w)
	}
	threshold, err := quantile.Percentile(contribution, m.p)
	if err != nil {
		return m.errorf("%w", err)
	}
	m.head = newSparse(head, func(class, feature int) bool {
		return contribution[class*head.Dim+feature] > threshold
	})
	return nil
}

func (m *dice) Score(ctx context.Context, s Samples, dst []float64) error {
	if m.head == nil {
		return m.errorf("%w", ErrNotFitted)
	}
	if err := m.checkScore(s, dst); err != nil {
		return err
	}
	classes, features := m.head.shape()
	if err := m.checkShape(s, classes, features); err != nil {
		return err
	}
	return energies(ctx, m.head, s, func(z float64) float64 { return z }, dst, m.workers)
}

// meanFeatures returns E[z] over the samples, shape [feature]. Workers share the features, not the samples, so that
// each sum runs over the samples in their order.
func meanFeatures(ctx context.Context, s Samples, workers int) ([]float64, error) {
	mean := make([]float64, s.Dim)
	err := forEachBlock(ctx, s.Dim, 64, workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			sums := mean[lo:hi]
			for i := range s.N {
				for d, v := range s.Features[i*s.Dim+lo : i*s.Dim+hi] {
					sums[d] += float64(v)
				}
			}
			for d := range sums {
				sums[d] /= float64(s.N)
			}
		}
	})
	return mean, err
}
