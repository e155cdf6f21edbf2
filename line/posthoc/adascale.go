package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// adascaleA is AdaSCALE-A of Regmi (2025): the features times exp(s1/s2), with s2 the sum of the largest features,
// those above a percentile that differs by sample. The percentile is low where a small change of the image changes
// its largest features little, as for in-distribution images. Let z' be the features of the changed image, and Q =
// the sum of relu(z') at the k1 largest z plus lambda times the sum of abs(z-z') at the k2 largest. The percentile is
// p_min + (1 - F(Q)) (p_max - p_min), with F the distribution function of Q over ID samples. The image is changed by
// eps along the sign of the gradient of its largest logit, at the share o of its values where that gradient is
// smallest. Equal features are ordered by index. s1 and s2 are sums of relu(z), as in LTS; where they are equal,
// s1/s2 is 1.
var adascaleA = Kind{
	Name: "adascale-a", Doc: "z exp(s1/s2) with a percentile for each sample by its activation shift; energy",
	Source:   "Regmi, 2025",
	FittedOn: ID, Params: adascaleParams,
	Part: func(p map[string]float64, _ int) (Part, error) { return newAdascale(p, false) },
}

// adascaleL is AdaSCALE-L: the logits times (s1/s2)² instead of the features times exp(s1/s2).
var adascaleL = Kind{
	Name: "adascale-l", Doc: "l (s1/s2)² with a percentile for each sample by its activation shift; energy",
	Source:   "Regmi, 2025",
	FittedOn: ID, Params: adascaleParams,
	Part: func(p map[string]float64, _ int) (Part, error) { return newAdascale(p, true) },
}

var adascaleParams = []Parameter{
	{Name: "p_min", Default: 75, Min: 0, Max: 100, Grid: []float64{60, 70, 75, 80}, Doc: "smallest percentile"},
	{Name: "p_max", Default: 85, Min: 0, Max: 100, Grid: []float64{85, 90, 95, 99}, Doc: "largest percentile"},
	{Name: "k1", Default: 5, Min: 0, Max: 100, Open: true, Doc: "percent of features whose changed values count"},
	{Name: "k2", Default: 1, Min: 0, Max: 100, Open: true, Doc: "percent of features whose shift counts"},
	{Name: "lambda", Default: 10, Min: 0, Max: math.MaxFloat32, Doc: "weight of the shift"},
	{Name: "o", Default: 0.05, Min: 0, Max: 1, Doc: "share of an image's values that are changed"},
	{Name: "eps", Default: 0.5, Min: 0, Max: math.MaxFloat32, Doc: "change in units of normalised pixels"},
}

type adascale struct {
	pMin, pMax, k1, k2, lambda float64
	name                       string
	logits                     bool
	state                      struct{ Shift []float64 } // Q of the fitted samples, ascending
}

func newAdascale(p map[string]float64, logits bool) (Part, error) {
	if p["p_min"] > p["p_max"] {
		return Part{}, fmt.Errorf("posthoc: adascale: expected p_min at most p_max, got %v and %v", p["p_min"],
			p["p_max"])
	}
	return Part{Shape: &adascale{
		pMin: p["p_min"], pMax: p["p_max"], k1: p["k1"], k2: p["k2"], lambda: p["lambda"], logits: logits,
		name: fmt.Sprintf("perturbed.features(o=%v,eps=%v)", p["o"], p["eps"]),
	}}, nil
}

func (s *adascale) State() any { return &s.state }

// Needs returns the name of the features of the changed image.
func (s *adascale) Needs() []string { return []string{s.name} }

func (s *adascale) Fit(ctx context.Context, _ Head, id Samples) error {
	shift := make([]float64, id.N)
	z, order := make([]float64, id.FeatureDim), make([]int, id.FeatureDim)
	for i := range shift {
		if err := ctx.Err(); err != nil {
			return err
		}
		for d, v := range id.Features[i*id.FeatureDim : (i+1)*id.FeatureDim] {
			z[d] = float64(v)
		}
		shift[i] = s.shift(z, id.Extra[s.name].row(i), order)
	}
	slices.Sort(shift)
	s.state.Shift = shift
	return nil
}

// shift returns Q of one sample. order is scratch memory with the length of z.
func (s *adascale) shift(z []float64, changed []float32, order []int) float64 {
	descending(z, order)
	count := func(percent float64) int { return max(1, int(float64(len(z))*percent/100)) }
	var correction, moved float64
	for _, d := range order[:count(s.k1)] {
		correction += max(0, float64(changed[d]))
	}
	for _, d := range order[:count(s.k2)] {
		moved += math.Abs(z[d] - float64(changed[d]))
	}
	return correction + float64(s.lambda*moved)
}

// descending fills order with the indices of z in descending order of values, ties by ascending index.
func descending(z []float64, order []int) {
	for d := range order {
		order[d] = d
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case z[a] > z[b]:
			return -1
		case z[a] < z[b]:
			return 1
		}
		return 0
	})
}

func (s *adascale) Shape() func(*Block) {
	var order []int
	var positive []float64
	var largest keeper
	return func(b *Block) {
		if order == nil {
			order = make([]int, b.FeatureDim)
		}
		for i := range b.N {
			z := b.FeaturesOf(i)
			q := s.shift(z, b.Extra(s.name, i), order)
			atMost, _ := slices.BinarySearchFunc(s.state.Shift, q, func(v, q float64) int {
				if v <= q {
					return -1
				}
				return 1
			})
			share := 1 - float64(atMost)/float64(len(s.state.Shift))
			largest.percent = s.pMin + float64(share*(s.pMax-s.pMin))
			positive = relu(positive, z)
			_, _, all, kept := largest.threshold(positive)
			r := ratio(all, kept)
			if s.logits {
				b.ScaleLogits(i, r*r)
				continue
			}
			f := math.Exp(r)
			for d := range z {
				z[d] *= f
			}
		}
		if !s.logits {
			b.FeaturesChanged()
		}
	}
}
