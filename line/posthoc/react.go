package posthoc

import (
	"context"

	"github.com/line-ood/goline/internal/quantile"
)

// react is ReAct of Sun et al. (NeurIPS 2021): the energy of W min(z, t) + b, with t a percentile of all entries of the
// in-distribution features.
var react = Kind{
	Name: "react", Doc: "z clipped at a percentile of all ID features; energy", Source: "Sun et al., NeurIPS 2021",
	FittedOn: ID,
	Params: []Parameter{{
		Name: "percentile", Alias: "p", Default: 90, Min: 0, Max: 100, Grid: []float64{85, 90, 95, 99},
		Doc: "percentile of all ID features at which features are clipped",
	}},
	Part: func(p map[string]float64, _ int) (Part, error) {
		return Part{Shape: &reactShaper{percentile: p["percentile"]}}, nil
	},
}

type reactShaper struct {
	percentile float64
	state      struct{ Threshold float64 }
}

func (s *reactShaper) State() any { return &s.state }

func (s *reactShaper) Fit(_ context.Context, _ Head, id Samples) (err error) {
	s.state.Threshold, err = quantile.Percentile(id.Features, s.percentile)
	return err
}

func (s *reactShaper) Shape() func(*Block) {
	return func(b *Block) {
		z := b.Features()
		for i, v := range z {
			z[i] = min(v, s.state.Threshold)
		}
		b.FeaturesChanged()
	}
}
