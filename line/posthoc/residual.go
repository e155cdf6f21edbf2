package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
)

// residual is the part of vim that needs no logits: -‖P(z - u)‖.
var residual = Kind{
	Name: "residual", Doc: "-‖P(z-u)‖, as in vim", Source: "Wang et al., CVPR 2022", FittedOn: ID,
	Params: []Parameter{principalDimension},
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &residualScore{principal: int(p["dim"]), workers: workers}}, nil
	},
}

var principalDimension = Parameter{
	Name: "dim", Default: 0, Min: 0, Max: 1e6, Whole: true, Grid: []float64{0, 256, 512, 1000},
	Doc: "principal directions; 0 means 1000 from 2048 features on, 512 from 768 on, and else half the features",
}

type residualState struct {
	Origin []float64 // u, shape [feature]
	Basis  []float64 // orthonormal basis of the space that P projects on, shape [direction, feature]
}

type residualScore struct {
	principal, workers int
	state              residualState
	basis              *linalg.Matrix
	directions         int
}

func (s *residualScore) State() any { return &s.state }

func (s *residualScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Origin, err = origin(head); err != nil {
		return err
	}
	moments, err := secondMoments(ctx, id.N, id.FeatureDim, func(i int, x []float64) {
		for d, v := range id.Features[i*id.FeatureDim : (i+1)*id.FeatureDim] {
			x[d] = float64(v) - s.state.Origin[d]
		}
	}, s.workers)
	if err != nil {
		return err
	}
	count := s.principal
	switch {
	case count > 0:
	case id.FeatureDim >= 2048:
		count = 1000
	case id.FeatureDim >= 768:
		count = 512
	default:
		count = id.FeatureDim / 2
	}
	_, rest, err := principal(ctx, moments, id.FeatureDim, count, s.workers)
	if err != nil {
		return err
	}
	s.state.Basis = slices.Clone(rest)
	return s.Derive(head)
}

// Derive prepares the basis.
func (s *residualScore) Derive(head Head) error {
	if err := checkLength("origin", len(s.state.Origin), head.FeatureDim); err != nil {
		return err
	}
	if len(s.state.Basis)%head.FeatureDim != 0 {
		return fmt.Errorf("expected directions of %d features, got %d values", head.FeatureDim, len(s.state.Basis))
	}
	s.directions = len(s.state.Basis) / head.FeatureDim
	s.basis = linalg.NewMatrix(s.state.Basis, s.directions, head.FeatureDim)
	return nil
}

// lengths returns a function, for one goroutine, that writes ‖P(z - u)‖ of n rows z, shape [row, feature], to dst.
func (s *residualScore) lengths() func(dst, z []float64, n int) error {
	var centred, left []float64
	dim := len(s.state.Origin)
	return func(dst, z []float64, n int) error {
		if len(centred) < n*dim {
			centred, left = make([]float64, n*dim), make([]float64, n*s.directions)
		}
		for i := range n {
			subtract(centred[i*dim:(i+1)*dim], z[i*dim:], s.state.Origin)
		}
		if err := s.basis.MulTransposed(context.Background(), left[:n*s.directions], centred[:n*dim], n,
			1); err != nil {
			return err
		}
		for i := range n {
			dst[i] = norm(left[i*s.directions : (i+1)*s.directions])
		}
		return nil
	}
}

func (s *residualScore) Score() func(*Block, []float64) {
	lengths := s.lengths()
	return func(b *Block, dst []float64) {
		err := lengths(dst, b.Features(), b.N)
		for i := range dst {
			dst[i] = -dst[i]
			if err != nil { // cannot happen for valid samples
				dst[i] = math.NaN()
			}
		}
	}
}
