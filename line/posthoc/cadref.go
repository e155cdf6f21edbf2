package posthoc

import (
	"context"
	"math"
	"slices"
)

// cadref is CADRef, class-aware decoupled relative features, of Ling et al. (CVPR 2025). With c the predicted class,
// mu_c the mean of the in-distribution features predicted as c and d = (z - mu_c) sign(w_c), the score is
//
//	-(sum max(d,0) / ‖z‖_1 / LSE(l) + sum max(-d,0) / ‖z‖_1 / E[LSE])
//
// with E[LSE] the mean over the in-distribution samples. A class as which no sample is predicted has the mean of all
// samples. A ‖z‖_1 below 1e-12 counts as 1e-12, and so does an LSE whose absolute value is below 1e-12.
var cadref = Kind{
	Name: "cadref", Doc: "-(positive part of (z-mu_c) sign(w_c) / LSE(l) + negative part / mean LSE) / ‖z‖_1",
	Source: "Ling et al., CVPR 2025", FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &cadrefScore{workers: workers}}, nil
	},
}

type cadrefScore struct {
	workers int
	state   struct {
		Means  []float64 // mu, shape [class, feature]
		Energy float64   // E[LSE]
	}
	weight []float32 // shape [class, feature]
}

func (s *cadrefScore) State() any { return &s.state }

func (s *cadrefScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Means, err = predictedMeans(ctx, id, s.workers); err != nil {
		return err
	}
	if s.state.Energy, err = meanEnergy(ctx, id, s.workers); err != nil {
		return err
	}
	return s.Derive(head)
}

// Derive keeps the head's weights.
func (s *cadrefScore) Derive(head Head) error {
	s.weight = slices.Clone(head.Weight)
	return checkLength("means", len(s.state.Means), head.Classes*head.FeatureDim)
}

func (s *cadrefScore) Score() func(*Block, []float64) {
	return eachSample(func(b *Block, i int) float64 {
		c := b.Prediction(i)
		mean, w := s.state.Means[c*b.FeatureDim:][:b.FeatureDim], s.weight[c*b.FeatureDim:][:b.FeatureDim]
		z := b.FeaturesOf(i)
		var up, down float64
		for d, v := range z {
			distance := v - mean[d]
			switch {
			case w[d] == 0:
			case (distance > 0) == (w[d] > 0):
				up += math.Abs(distance)
			default:
				down += math.Abs(distance)
			}
		}
		size := max(norm1(z), tiny)
		return -(up/size/awayFromZero(logSumExp(b.LogitsOf(i), 1)) + down/size/awayFromZero(s.state.Energy))
	})
}

// awayFromZero returns v, or 1e-12 where the absolute value of v is smaller, as a divisor.
func awayFromZero(v float64) float64 {
	if math.Abs(v) < tiny {
		return tiny
	}
	return v
}

// meanEnergy returns the mean log-sum-exp of the samples' logits.
func meanEnergy(ctx context.Context, s Samples, workers int) (float64, error) {
	each, err := energies(ctx, s, workers)
	var sum float64
	for _, e := range each {
		sum += e
	}
	return sum / float64(s.N), err
}
