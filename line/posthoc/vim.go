package posthoc

import (
	"context"
	"math"

	"github.com/line-ood/goline/internal/mathx"
)

// vim is virtual-logit matching of Wang et al. (CVPR 2022): LSE(l) - a ‖P(z - u)‖. u = -W^+ b is the origin of the
// head. P is the projection on the residual space, which is orthogonal to the principal directions of the
// in-distribution z - u, the eigenvectors of their second moments with the largest eigenvalues. a = mean max l / mean
// ‖P(z - u)‖ over the in-distribution samples. Directions whose eigenvalues differ by rounding alone are not
// separated: they all belong to the residual space. Where the mean ‖P(z - u)‖² is 0 but for rounding, a is 0.
var vim = Kind{
	Name: "vim", Doc: "LSE(l) - a ‖P(z-u)‖, P off the principal space, u = -W⁺b", Source: "Wang et al., CVPR 2022",
	FittedOn: ID,
	Params:   []Parameter{principalDimension},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &vimScore{space: residualScore{principal: int(p["dim"]), workers: workers}}}, nil
	},
}

type vimScore struct {
	space residualScore
	state struct {
		Origin, Basis []float64 // as in residualState
		Weight        float64   // a
	}
}

func (s *vimScore) State() any { return &s.state }

func (s *vimScore) Fit(ctx context.Context, head Head, id Samples) error {
	if err := s.space.Fit(ctx, head, id); err != nil {
		return err
	}
	s.state.Origin, s.state.Basis = s.space.state.Origin, s.space.state.Basis
	// far bounds the lengths that rounding errors are relative to; left is ‖P(z - u)‖.
	far, left := make([]float64, id.N), make([]float64, id.N)
	own := norm(s.state.Origin)
	if size := norm(mathx.Float64s(head.Weight)); size > 0 {
		own += norm(mathx.Float64s(head.Bias)) / size
	}
	err := forEachBlock(ctx, id.N, 192, s.space.workers, func() func(lo, hi int) {
		z, lengths := make([]float64, 192*id.FeatureDim), s.space.lengths()
		return func(lo, hi int) {
			for i, v := range id.Features[lo*id.FeatureDim : hi*id.FeatureDim] {
				z[i] = float64(v)
			}
			for i := lo; i < hi; i++ {
				far[i] = norm(z[(i-lo)*id.FeatureDim:(i-lo+1)*id.FeatureDim]) + own
			}
			if err := lengths(left[lo:hi], z[:(hi-lo)*id.FeatureDim], hi-lo); err != nil {
				panic(err) // cannot fail, since the lengths are made here
			}
		}
	})
	if err != nil {
		return err
	}
	var top, sumLeft, squaresFar, squaresLeft float64
	for i := range id.N {
		best := math.Inf(-1)
		for _, l := range id.Logits[i*id.Classes : (i+1)*id.Classes] {
			best = max(best, float64(l))
		}
		top, sumLeft = top+best, sumLeft+left[i]
		squaresFar, squaresLeft = squaresFar+float64(far[i]*far[i]), squaresLeft+float64(left[i]*left[i])
	}
	s.state.Weight = 0
	if squaresLeft > noise(id.FeatureDim, squaresFar) { // directions come from second moments, and so does their error
		s.state.Weight = top / sumLeft
	}
	return nil
}

// Derive prepares the basis.
func (s *vimScore) Derive(head Head) error {
	s.space.state = residualState{s.state.Origin, s.state.Basis}
	return s.space.Derive(head)
}

func (s *vimScore) Score() func(*Block, []float64) {
	residual := s.space.Score()
	return func(b *Block, dst []float64) {
		residual(b, dst)
		for i, v := range dst {
			dst[i] = logSumExp(b.LogitsOf(i), 1) + float64(s.state.Weight*v)
		}
	}
}
