package posthoc

import "context"

// she is the simplified Hopfield energy of Zhang et al. (ICLR 2023): <z, M_c>, where c is the predicted class and M_c,
// the stored pattern, the mean features of the in-distribution samples of class c that are predicted as c. Where there
// is no such sample, M_c is the mean of all samples of class c, and zero where there is none.
var she = Kind{
	Name: "she", Doc: "<z, mean z of correctly classified ID samples of the predicted class>",
	Source: "Zhang et al., ICLR 2023", FittedOn: Labels,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &sheScore{workers: workers}}, nil
	},
}

type sheScore struct {
	workers int
	state   struct{ Patterns []float64 } // M, shape [class, feature]
}

func (s *sheScore) State() any { return &s.state }

func (s *sheScore) Fit(ctx context.Context, head Head, id Samples) error {
	correct := id.Predictions()
	for i, c := range correct {
		if c != id.Labels[i] {
			correct[i] = -1
		}
	}
	patterns, counts, err := classMeans(ctx, id, correct, s.workers)
	if err != nil {
		return err
	}
	of, _, err := classMeans(ctx, id, id.Labels, s.workers)
	if err != nil {
		return err
	}
	for c, n := range counts {
		if n == 0 {
			copy(patterns[c*id.FeatureDim:], of[c*id.FeatureDim:(c+1)*id.FeatureDim])
		}
	}
	s.state.Patterns = patterns
	return s.Derive(head)
}

// Derive checks the patterns.
func (s *sheScore) Derive(head Head) error {
	return checkLength("patterns", len(s.state.Patterns), head.Classes*head.FeatureDim)
}

func (s *sheScore) Score() func(*Block, []float64) {
	return eachSample(func(b *Block, i int) float64 {
		return dot(b.FeaturesOf(i), s.state.Patterns[b.Prediction(i)*b.FeatureDim:][:b.FeatureDim])
	})
}
