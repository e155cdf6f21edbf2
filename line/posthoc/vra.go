package posthoc

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/internal/quantile"
)

// vra is VRA of Xu et al. (Variational Rectified Activation, NeurIPS 2023): the energy after features below a lower
// bound are set to 0, and those above an upper bound to that bound. The bounds are percentiles of each neuron over
// the in-distribution samples, or, as the authors use for ImageNet, two constants for all neurons.
var vra = Kind{
	Name: "vra", Doc: "z below a neuron's lower percentile set to 0, clipped at its upper one; energy",
	Source: "Xu et al., NeurIPS 2023", FittedOn: ID,
	Params: vraParams(60, 90),
	Part: func(p map[string]float64, workers int) (Part, error) {
		s, err := newVRAShaper(p, workers)
		return Part{Shape: s}, err
	},
}

// vraPlusPlus is VRA++ of the same paper: the energy of VRA minus a sum_i (z_i - m)², where z are the features as the
// network gives them.
var vraPlusPlus = Kind{
	Name: "vra++", Doc: "VRA's energy minus a sum (z - m)^2", Source: "Xu et al., NeurIPS 2023", FittedOn: ID,
	Params: append(vraParams(50, 85),
		Parameter{Name: "a", Default: 0.01, Min: 0, Max: 1e6, Grid: []float64{0.001, 0.01},
			Doc: "weight of the penalty"},
		Parameter{Name: "m", Default: 4, Min: -1e6, Max: 1e6, Grid: []float64{1.5, 4},
			Doc: "feature value without a penalty"}),
	Part: func(p map[string]float64, workers int) (Part, error) {
		s, err := newVRAShaper(p, workers)
		return Part{Shape: s, Score: quadraticScore{a: p["a"], m: p["m"]}}, err
	},
}

func vraParams(lo, hi float64) []Parameter {
	return []Parameter{
		{Name: "lo", Default: lo, Min: 0, Max: 100, Grid: []float64{10, 50, 60},
			Doc: "percentile of each neuron below which features are set to 0"},
		{Name: "hi", Default: hi, Min: 0, Max: 100, Grid: []float64{85, 90, 95, 99},
			Doc: "percentile of each neuron at which features are clipped"},
		{Name: "constants", Max: 1, Whole: true,
			Doc: "1: lo and hi are feature values, not percentiles (ImageNet: 0.5, 1)"},
	}
}

type vraShaper struct {
	lo, hi    float64
	constants bool
	workers   int
	state     struct{ Low, High []float64 } // bounds, shape [feature]
}

func newVRAShaper(p map[string]float64, workers int) (*vraShaper, error) {
	if p["lo"] > p["hi"] {
		return nil, fmt.Errorf("posthoc: vra: expected lo <= hi, got lo = %v, hi = %v", p["lo"], p["hi"])
	}
	return &vraShaper{lo: p["lo"], hi: p["hi"], constants: p["constants"] == 1, workers: workers}, nil
}

func (s *vraShaper) State() any { return &s.state }

func (s *vraShaper) Fit(ctx context.Context, _ Head, id Samples) error {
	s.state.Low, s.state.High = slices.Repeat([]float64{s.lo}, id.FeatureDim), slices.Repeat([]float64{s.hi},
		id.FeatureDim)
	if s.constants {
		return nil
	}
	return eachNeuron(ctx, id, s.workers, func(d int, values []float32) (err error) {
		if s.state.Low[d], err = quantile.PercentileInPlace(values, s.lo); err != nil {
			return err
		}
		s.state.High[d], err = quantile.PercentileInPlace(values, s.hi)
		return err
	})
}

// Derive checks the lengths of the bounds.
func (s *vraShaper) Derive(head Head) error {
	if len(s.state.Low) != head.FeatureDim || len(s.state.High) != head.FeatureDim {
		return fmt.Errorf("expected bounds of %d neurons, got %d and %d", head.FeatureDim, len(s.state.Low),
			len(s.state.High))
	}
	return nil
}

func (s *vraShaper) Shape() func(*Block) {
	return func(b *Block) {
		for i := range b.N {
			z := b.FeaturesOf(i)
			for d, v := range z {
				if v < s.state.Low[d] {
					z[d] = 0
				} else {
					z[d] = min(v, s.state.High[d])
				}
			}
		}
		b.FeaturesChanged()
	}
}

// eachNeuron calls use with the values of each neuron over the samples, from several goroutines at once. use may
// reorder the values.
func eachNeuron(ctx context.Context, s Samples, workers int, use func(d int, values []float32) error) error {
	const group = 16 // neurons gathered in one pass: a cache line of each sample
	errs := make([]error, s.FeatureDim)
	err := forEachBlock(ctx, s.FeatureDim, group, workers, func() func(lo, hi int) {
		columns := make([]float32, group*s.N)
		return func(lo, hi int) {
			for i := range s.N {
				for j, v := range s.features(i)[lo:hi] {
					columns[j*s.N+i] = v
				}
			}
			for d := lo; d < hi; d++ {
				errs[d] = use(d, columns[(d-lo)*s.N:][:s.N])
			}
		}
	})
	for _, e := range errs {
		if err == nil {
			err = e
		}
	}
	return err
}

// quadraticScore is the energy minus a sum (z - m)^2, z as the network gave it.
type quadraticScore struct {
	unfitted
	a, m float64
}

func (s quadraticScore) Score() func(*Block, []float64) {
	return eachSample(func(b *Block, i int) float64 {
		var sum float64
		for _, v := range b.OriginalFeatures(i) {
			d := float64(v) - s.m
			sum += float64(d * d)
		}
		return logSumExp(b.LogitsOf(i), 1) - float64(s.a*sum)
	})
}
