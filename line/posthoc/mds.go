package posthoc

import (
	"context"
	"fmt"
	"math"
)

// mds is the Mahalanobis distance score of Lee et al. (NeurIPS 2018) on the penultimate layer: -min_k (z - mu_k)' S^+
// (z - mu_k), with mu_k the mean of the in-distribution features labelled k, and S their covariance around those
// means, divided by the number of samples. In the pseudo-inverse S^+, eigenvalues of S up to max(D, 64) epsilon times
// the largest count as zero, with epsilon = 2^-52 and D the number of features. Classes without samples are left out.
// If no class has two samples, S is the covariance around the mean of all; if all samples are equal, every score is
// 0.
var mds = mahalanobis("mds", "-min_k Mahalanobis distance² of z to class mean k, tied covariance",
	"Lee et al., NeurIPS 2018", false, false)

// mdsPlus is Mahalanobis++ of Müller and Hein (ICML 2025): mds of z/‖z‖. A ‖z‖ below 1e-12 counts as 1e-12.
var mdsPlus = mahalanobis("mds++", "mds of z/‖z‖", "Müller and Hein, ICML 2025", true, false)

// rmds is the relative Mahalanobis distance of Ren et al. (2021): mds, plus the squared Mahalanobis distance of z to
// one Gaussian of all in-distribution samples.
var rmds = mahalanobis("rmds", "mds plus the Mahalanobis distance² to one Gaussian of all ID samples",
	"Ren et al., 2021", false, true)

// rmdsPlus is rmds of z/‖z‖, see mdsPlus.
var rmdsPlus = mahalanobis("rmds++", "rmds of z/‖z‖", "Müller and Hein, ICML 2025", true, true)

func mahalanobis(name, doc, source string, normalise, relative bool) Kind {
	return Kind{
		Name: name, Doc: doc, Source: source, FittedOn: Labels,
		Part: func(_ map[string]float64, workers int) (Part, error) {
			return Part{Score: &mahalanobisScore{normalise: normalise, relative: relative, workers: workers}}, nil
		},
	}
}

type mahalanobisScore struct {
	normalise, relative bool
	workers             int
	state               struct {
		Centre, Whiten, Means      []float64 // of the classes, see gaussianState
		GlobalCentre, GlobalWhiten []float64 // of all samples, nil unless relative
		Classes                    int       // number of classes that have samples
	}
	tied, global *gaussians
}

func (s *mahalanobisScore) State() any { return &s.state }

func (s *mahalanobisScore) Fit(ctx context.Context, head Head, id Samples) error {
	row := func(i int, x []float64) {
		for d, v := range id.Features[i*id.FeatureDim : (i+1)*id.FeatureDim] {
			x[d] = float64(v)
		}
		if s.normalise {
			normalise(x, x)
		}
	}
	tied, err := fitTied(ctx, id.Labels, id.Classes, id.FeatureDim, row, s.workers)
	if err != nil {
		return err
	}
	s.state.Centre, s.state.Whiten, s.state.Means = tied.Centre, tied.Whiten, tied.Means
	has := map[int]bool{}
	for _, label := range id.Labels {
		if label >= 0 {
			has[label] = true
		}
	}
	s.state.Classes = len(has)
	if s.relative {
		global, err := fitTied(ctx, make([]int, id.N), 1, id.FeatureDim, row, s.workers)
		if err != nil {
			return err
		}
		s.state.GlobalCentre, s.state.GlobalWhiten = global.Centre, global.Whiten
	}
	return s.Derive(head)
}

// Derive prepares the Gaussians.
func (s *mahalanobisScore) Derive(head Head) (err error) {
	if s.state.Classes < 1 {
		return fmt.Errorf("expected at least one class, got %d", s.state.Classes)
	}
	tied := &gaussianState{s.state.Centre, s.state.Whiten, s.state.Means}
	if s.tied, err = tied.layOut(head.FeatureDim, s.state.Classes); err != nil || !s.relative {
		return err
	}
	rank := len(s.state.GlobalWhiten) / head.FeatureDim
	global := &gaussianState{s.state.GlobalCentre, s.state.GlobalWhiten, make([]float64, rank)}
	s.global, err = global.layOut(head.FeatureDim, 1)
	return err
}

func (s *mahalanobisScore) Score() func(*Block, []float64) {
	nearest := s.tied.nearest()
	var global func(dst, x []float64, n int) error
	if s.relative {
		global = s.global.nearest()
	}
	var u, all []float64
	return func(b *Block, dst []float64) {
		x := b.Features()
		if s.normalise {
			u = units(u, b)
			x = u[:b.N*b.FeatureDim]
		}
		err := nearest(dst, x, b.N)
		for i := range dst {
			dst[i] = -dst[i]
		}
		if err == nil && s.relative {
			if len(all) < b.N {
				all = make([]float64, b.N)
			}
			err = global(all[:b.N], x, b.N)
			for i := range dst {
				dst[i] += all[i]
			}
		}
		if err != nil { // cannot happen for valid samples
			for i := range dst {
				dst[i] = math.NaN()
			}
		}
	}
}
