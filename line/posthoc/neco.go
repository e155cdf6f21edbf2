package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
)

// neco is NECO of Ben Ammar et al. (ICLR 2024), as in its authors' code: ‖P s‖ / ‖s‖, where s are the features
// standardised to mean 0 and variance 1 over the in-distribution samples, and P is the projection on the first dim
// principal components of the standardised samples. For transformers the authors multiply by the maximum logit.
// Constant features are only centred. Components whose variances differ by rounding alone are not separated: they are
// all left out of P. A ‖s‖ below 1e-12 counts as 1e-12.
var neco = Kind{
	Name: "neco", Doc: "‖P s‖ / ‖s‖, s standardised z, P on its principal components",
	Source: "Ben Ammar et al., ICLR 2024", FittedOn: ID,
	Params: []Parameter{
		{Name: "dim", Default: 0, Min: 0, Max: 1e6, Whole: true, Grid: []float64{0, 25, 50, 100, 200, 400},
			Doc: "principal components; 0 means the authors' 100, or half the features where those are fewer"},
		{Name: "maxlogit", Default: 0, Min: 0, Max: 1, Whole: true, Grid: []float64{0, 1},
			Doc: "1 multiplies by the maximum logit, as the authors do for transformers"},
	},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &necoScore{components: int(p["dim"]), byLogit: p["maxlogit"] == 1, workers: workers}}, nil
	},
}

type necoScore struct {
	components, workers int
	byLogit             bool
	state               struct {
		Mean, Deviation []float64 // shape [feature]
		Basis           []float64 // shape [component, feature]
	}
	basis *linalg.Matrix
	count int // number of components
}

func (s *necoScore) State() any { return &s.state }

func (s *necoScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Mean, err = meanFeatures(ctx, id, s.workers); err != nil {
		return err
	}
	if s.state.Deviation, err = deviations(ctx, id, s.state.Mean, s.workers); err != nil {
		return err
	}
	moments, err := secondMoments(ctx, id.N, id.FeatureDim, func(i int, x []float64) {
		for d, v := range id.Features[i*id.FeatureDim : (i+1)*id.FeatureDim] {
			x[d] = float64(v)
		}
		s.standardise(x)
	}, s.workers)
	if err != nil {
		return err
	}
	count := s.components
	if count == 0 {
		count = max(1, min(100, id.FeatureDim/2))
	}
	main, _, err := principal(ctx, moments, id.FeatureDim, count, s.workers)
	if err != nil {
		return err
	}
	s.state.Basis = slices.Clone(main)
	return s.Derive(head)
}

// deviations returns the standard deviation of each feature, shape [feature], and 1 for constant ones.
func deviations(ctx context.Context, s Samples, mean []float64, workers int) ([]float64, error) {
	out := make([]float64, s.FeatureDim)
	err := forEachBlock(ctx, s.FeatureDim, 64, workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for i := range s.N {
				for d, v := range s.Features[i*s.FeatureDim+lo : i*s.FeatureDim+hi] {
					x := float64(v) - mean[lo+d]
					out[lo+d] += float64(x * x)
				}
			}
			for d := lo; d < hi; d++ {
				out[d] = math.Sqrt(out[d] / float64(s.N))
				if out[d] <= float64(s.N)*epsilon*math.Abs(mean[d]) {
					out[d] = 1
				}
			}
		}
	})
	return out, err
}

func (s *necoScore) standardise(x []float64) {
	for d, v := range x {
		x[d] = (v - s.state.Mean[d]) / s.state.Deviation[d]
	}
}

// Derive prepares the basis.
func (s *necoScore) Derive(head Head) error {
	if len(s.state.Mean) != head.FeatureDim || len(s.state.Deviation) != head.FeatureDim ||
		len(s.state.Basis)%head.FeatureDim != 0 {
		return fmt.Errorf("expected means, deviations and components of %d features, got %d, %d and %d values",
			head.FeatureDim, len(s.state.Mean), len(s.state.Deviation), len(s.state.Basis))
	}
	s.count = len(s.state.Basis) / head.FeatureDim
	s.basis = linalg.NewMatrix(s.state.Basis, s.count, head.FeatureDim)
	return nil
}

func (s *necoScore) Score() func(*Block, []float64) {
	var x, along []float64
	return func(b *Block, dst []float64) {
		if len(x) < b.N*b.FeatureDim {
			x, along = make([]float64, b.N*b.FeatureDim), make([]float64, b.N*s.count)
		}
		copy(x, b.Features())
		for i := range b.N {
			s.standardise(x[i*b.FeatureDim : (i+1)*b.FeatureDim])
		}
		err := s.basis.MulTransposed(context.Background(), along[:b.N*s.count], x[:b.N*b.FeatureDim], b.N, 1)
		for i := range dst {
			dst[i] = norm(along[i*s.count:(i+1)*s.count]) / max(norm(x[i*b.FeatureDim:(i+1)*b.FeatureDim]), tiny)
			if s.byLogit {
				dst[i] *= slices.Max(b.LogitsOf(i))
			}
			if err != nil { // cannot happen for valid samples
				dst[i] = math.NaN()
			}
		}
	}
}
