package posthoc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// ras is RAS, ranked activation shift, of Guglielmo and Masana (ECCV 2026, arXiv 2604.08572): the smallest feature of
// a sample is replaced by the mean over the in-distribution samples of their smallest feature, the next by the mean
// of their second smallest, and so on. The score is the energy. It has no parameters. Ties are ranked by ascending
// index.
var ras = Kind{
	Name: "ras", Doc: "each feature replaced by the mean ID feature of its rank in the sample; energy",
	Source: "Guglielmo and Masana, ECCV 2026", FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Shape: &rasShaper{workers: workers}}, nil
	},
}

type rasShaper struct {
	workers int
	state   struct{ Curve []float64 } // mean feature of each rank from the smallest, shape [rank]
}

func (s *rasShaper) State() any { return &s.state }

func (s *rasShaper) Fit(ctx context.Context, _ Head, id Samples) (err error) {
	s.state.Curve, err = sumOver(ctx, id.N, id.FeatureDim, s.workers, func() func([]float64, int) {
		sorted := make([]float32, id.FeatureDim)
		return func(sum []float64, i int) {
			copy(sorted, id.features(i))
			slices.Sort(sorted)
			for rank, v := range sorted {
				sum[rank] += float64(v)
			}
		}
	})
	for rank := range s.state.Curve {
		s.state.Curve[rank] /= float64(id.N)
	}
	return err
}

// Derive checks the length of the curve.
func (s *rasShaper) Derive(head Head) error {
	if len(s.state.Curve) != head.FeatureDim {
		return fmt.Errorf("expected means of %d ranks, got %d", head.FeatureDim, len(s.state.Curve))
	}
	return nil
}

func (s *rasShaper) Shape() func(*Block) {
	type feature struct {
		value float64
		index int
	}
	order := make([]feature, len(s.state.Curve))
	return func(b *Block) {
		for i := range b.N {
			z := b.FeaturesOf(i)
			for d, v := range z {
				order[d] = feature{v, d}
			}
			slices.SortFunc(order, func(a, b feature) int {
				if a.value < b.value {
					return -1
				}
				if a.value > b.value {
					return 1
				}
				return cmp.Compare(a.index, b.index)
			})
			for rank, f := range order {
				z[f.index] = s.state.Curve[rank]
			}
		}
		b.FeaturesChanged()
	}
}
