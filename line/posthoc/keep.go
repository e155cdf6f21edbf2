package posthoc

import (
	"math"
	"slices"

	"github.com/line-ood/goline/internal/quantile"
)

// keeper finds the largest features of a sample, for ASH, SCALE and LTS. It has scratch memory and is for one
// goroutine.
type keeper struct {
	percent float64 // percentage of the features that are not kept
	scratch []float64
}

// keepParameter is the percentage parameter of those methods.
func keepParameter(value float64, doc string) []Parameter {
	return []Parameter{{
		Name: "p", Alias: "percentile", Default: value, Min: 0, Max: 100, Grid: []float64{65, 70, 75, 80, 85, 90, 95},
		Doc: doc,
	}}
}

// count returns how many of n features are kept: n - round(n p/100), halves rounded to even, and at least 1.
func (s *keeper) count(n int) int {
	return max(1, n-int(math.RoundToEven(float64(n)*s.percent/100)))
}

// threshold returns the smallest kept value, the number of kept values equal to it (those with the lowest indices),
// and the sums of all values and of the kept ones.
func (s *keeper) threshold(z []float64) (least float64, equals int, all, kept float64) {
	k := s.count(len(z))
	s.scratch = append(s.scratch[:0], z...)
	least = quantile.Select(s.scratch, len(z)-k)
	above := 0
	for _, v := range z {
		all += v
		if v > least {
			above++
			kept += v
		}
	}
	equals = k - above
	return least, equals, all, kept + float64(float64(equals)*least)
}

// prune sets values that are not kept to 0, and kept ones to f of them.
func prune(z []float64, least float64, equals int, f func(v float64) float64) {
	for i, v := range z {
		switch {
		case v > least:
			z[i] = f(v)
		case v == least && equals > 0:
			equals--
			z[i] = f(v)
		default:
			z[i] = 0
		}
	}
}

// ratio is s1/s2, the sum of all features over the sum of the kept ones. It is 1 where both are equal, even zero. It
// is bounded by ±300, so that its exponential is finite; for non-negative features it is at most n/k.
func ratio(all, kept float64) float64 {
	if all == kept {
		return 1
	}
	return max(-300, min(300, all/kept))
}

// keepShaper is a shaper that depends on the largest features of each sample.
type keepShaper struct {
	unfitted
	percent float64
	shape   func(k *keeper, z []float64)
}

func (s keepShaper) Shape() func(*Block) {
	k := &keeper{percent: s.percent}
	return func(b *Block) {
		for i := range b.N {
			s.shape(k, b.FeaturesOf(i))
		}
		b.FeaturesChanged()
	}
}

// keepKind makes a kind from such a shaper.
func keepKind(name, doc, source string, params []Parameter, shape func(k *keeper, z []float64)) Kind {
	return Kind{Name: name, Doc: doc, Source: source, Params: params, Part: func(p map[string]float64, _ int) (Part,
		error) {
		return Part{Shape: keepShaper{percent: p["p"], shape: shape}}, nil
	}}
}

// relu writes max(z, 0) to dst and returns it.
func relu(dst, z []float64) []float64 {
	dst = slices.Grow(dst[:0], len(z))[:len(z)]
	for i, v := range z {
		dst[i] = max(v, 0)
	}
	return dst
}
