package posthoc

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/internal/quantile"
)

// dice is DICE of Sun and Li (ECCV 2022): the energy of M*W z + b, where M keeps a weight iff its mean contribution
// E[z]_i W_ki over the in-distribution samples lies strictly above the p-th percentile of all of them.
var dice = Kind{
	Name: "dice", Doc: "weights of low mean contribution E[z] W dropped; energy", Source: "Sun and Li, ECCV 2022",
	FittedOn: ID,
	Params: []Parameter{{
		Name: "p", Default: 90, Min: 0, Max: 100, Grid: []float64{10, 30, 50, 70, 90},
		Doc: "percentage of weights that are dropped (ImageNet: 70)",
	}},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Shape: &diceShaper{p: p["p"], workers: workers}}, nil
	},
}

type diceShaper struct {
	p       float64
	workers int
	state   struct{ Mean []float64 } // E[z], shape [feature]
	head    *sparse
}

func (s *diceShaper) State() any { return &s.state }

func (s *diceShaper) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Mean, err = meanFeatures(ctx, id, s.workers); err != nil {
		return err
	}
	return s.Derive(head)
}

// Derive masks the head by the mean features.
func (s *diceShaper) Derive(head Head) error {
	mean := s.state.Mean
	if len(mean) != head.FeatureDim {
		return fmt.Errorf("expected mean features of %d neurons, got %d", head.FeatureDim, len(mean))
	}
	contribution := make([]float64, len(head.Weight))
	for i, w := range head.Weight {
		contribution[i] = mean[i%head.FeatureDim] * float64(w)
	}
	threshold, err := quantile.Percentile(contribution, s.p)
	if err != nil {
		return err
	}
	s.head = newSparse(head, func(class, feature int) bool {
		return contribution[class*head.FeatureDim+feature] > threshold
	})
	return nil
}

func (s *diceShaper) Shape() func(*Block) {
	return func(b *Block) { b.SetHead(s.head) }
}

// meanFeatures returns E[z] over the samples, shape [feature]. Workers divide the features, not the samples, so that
// each sum is taken in the order of the samples and has the same bits for any number of workers.
func meanFeatures(ctx context.Context, s Samples, workers int) ([]float64, error) {
	mean := make([]float64, s.FeatureDim)
	err := forEachBlock(ctx, s.FeatureDim, 64, workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			sums := mean[lo:hi]
			for i := range s.N {
				for d, v := range s.Features[i*s.FeatureDim+lo : i*s.FeatureDim+hi] {
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
