package posthoc

import (
	"context"
	"math"
)

// fdbd is the fast decision boundary detector of Liu and Qin (ICML 2024). It is the mean, over the classes k other
// than the predicted class c, of the distance |l_c - l_k| / ‖w_c - w_k‖ to the boundary between both classes, divided
// by ‖z - mu‖, with mu the mean of the in-distribution features. Classes with equal weights have no boundary and are
// left out; without any boundary the score is 0. A ‖z - mu‖ below 1e-12 counts as 1e-12.
var fdbd = Kind{
	Name: "fdbd", Doc: "mean over k≠c of |l_c-l_k| / ‖w_c-w_k‖, divided by ‖z-mean z‖",
	Source: "Liu and Qin, ICML 2024", FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &fdbdScore{workers: workers}}, nil
	},
}

type fdbdScore struct {
	workers int
	state   struct{ Mean []float64 } // mu, shape [feature]
	between []float64                // ‖w_c - w_k‖, shape [class c, class k]
}

func (s *fdbdScore) State() any { return &s.state }

func (s *fdbdScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Mean, err = meanFeatures(ctx, id, s.workers); err != nil {
		return err
	}
	return s.Derive(head)
}

// Derive computes the distances between the classes' weights.
func (s *fdbdScore) Derive(head Head) error {
	if err := checkLength("mean features", len(s.state.Mean), head.FeatureDim); err != nil {
		return err
	}
	classes, dim := head.Classes, head.FeatureDim
	s.between = make([]float64, classes*classes)
	return forEachBlock(context.Background(), classes, 16, s.workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for c := lo; c < hi; c++ {
				w := head.Weight[c*dim : (c+1)*dim]
				for k := range c {
					var sum float64
					for d, v := range head.Weight[k*dim : (k+1)*dim] {
						x := float64(w[d]) - float64(v)
						sum += float64(x * x)
					}
					s.between[c*classes+k] = math.Sqrt(sum)
					s.between[k*classes+c] = s.between[c*classes+k]
				}
			}
		}
	})
}

func (s *fdbdScore) Score() func(*Block, []float64) {
	centred := make([]float64, len(s.state.Mean))
	return eachSample(func(b *Block, i int) float64 {
		l, c := b.LogitsOf(i), b.Prediction(i)
		var sum float64
		boundaries := 0
		for k, distance := range s.between[c*b.Classes:][:b.Classes] {
			if distance > 0 {
				sum += (l[c] - l[k]) / distance
				boundaries++
			}
		}
		if boundaries == 0 {
			return 0
		}
		subtract(centred, b.FeaturesOf(i), s.state.Mean)
		return sum / float64(boundaries) / max(norm(centred), tiny)
	})
}
