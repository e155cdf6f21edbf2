package posthoc

import (
	"context"
	"math"
)

// caref is CARef, class-aware relative features, of Ling et al. (CVPR 2025): -‖z - mu_c‖_1 / ‖z‖_1, with mu_c the
// mean of the in-distribution features predicted as c, the sample's predicted class. A class as which no sample is
// predicted has the mean of all samples. A ‖z‖_1 below 1e-12 counts as 1e-12.
var caref = Kind{
	Name: "caref", Doc: "-‖z-mean z of ID samples predicted c‖_1 / ‖z‖_1", Source: "Ling et al., CVPR 2025",
	FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &carefScore{workers: workers}}, nil
	},
}

type carefScore struct {
	workers int
	state   struct{ Means []float64 } // mu, shape [class, feature]
}

func (s *carefScore) State() any { return &s.state }

func (s *carefScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Means, err = predictedMeans(ctx, id, s.workers); err != nil {
		return err
	}
	return s.Derive(head)
}

// Derive checks the means.
func (s *carefScore) Derive(head Head) error {
	return checkLength("means", len(s.state.Means), head.Classes*head.FeatureDim)
}

func (s *carefScore) Score() func(*Block, []float64) {
	return eachSample(func(b *Block, i int) float64 {
		z, mean := b.FeaturesOf(i), s.state.Means[b.Prediction(i)*b.FeatureDim:][:b.FeatureDim]
		var sum float64
		for d, v := range z {
			sum += math.Abs(v - mean[d])
		}
		return -sum / max(norm1(z), tiny)
	})
}
