package posthoc

import (
	"context"
	"slices"
)

// nci is the neural collapse inspired score of Liu and Qin (CVPR 2025): how near features are to the weights of the
// predicted class c, plus the norm of the features: <w_c, z - mu> / ‖z - mu‖ + a ‖z‖_1, with mu the mean of the
// in-distribution features. A ‖z - mu‖ below 1e-12 counts as 1e-12.
var nci = Kind{
	Name: "nci", Doc: "<w_c, z-mean z> / ‖z-mean z‖ + a ‖z‖_1", Source: "Liu and Qin, CVPR 2025", FittedOn: ID,
	Params: []Parameter{{
		Name: "a", Alias: "alpha", Default: 1e-4, Min: 0, Max: 1e6, Grid: []float64{1e-4, 1e-3, 1e-2, 1e-1},
		Doc: "weight of the features' 1-norm",
	}},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &nciScore{a: p["a"], workers: workers}}, nil
	},
}

type nciScore struct {
	a       float64
	workers int
	state   struct{ Mean []float64 } // mu, shape [feature]
	weight  []float32                // shape [class, feature]
}

func (s *nciScore) State() any { return &s.state }

func (s *nciScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Mean, err = meanFeatures(ctx, id, s.workers); err != nil {
		return err
	}
	return s.Derive(head)
}

// Derive keeps the head's weights.
func (s *nciScore) Derive(head Head) error {
	s.weight = slices.Clone(head.Weight)
	return checkLength("mean features", len(s.state.Mean), head.FeatureDim)
}

func (s *nciScore) Score() func(*Block, []float64) {
	centred := make([]float64, len(s.state.Mean))
	return eachSample(func(b *Block, i int) float64 {
		z := b.FeaturesOf(i)
		subtract(centred, z, s.state.Mean)
		proximity := dot32(centred, s.weight[b.Prediction(i)*b.FeatureDim:]) / max(norm(centred), tiny)
		return proximity + float64(s.a*norm1(z))
	})
}
