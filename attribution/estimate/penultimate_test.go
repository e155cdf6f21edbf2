package estimate

import (
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// naive is the value of a coalition by definition: replace the absent neurons, run the layer, read the value.
func (n network) naive(present []bool, removed []float64, class int, v attribution.Value, line *games.LINe) float64 {
	k, d := len(n.b), len(n.z)
	z := make([]float64, d)
	for i := range z {
		z[i] = removed[i]
		if present[i] {
			z[i] = n.z[i]
		}
		if line != nil {
			z[i] = math.Min(z[i], line.Clip)
			if !(line.Contributions[class*d+i] > line.ActivationThresholds[class]) {
				z[i] = 0
			}
		}
	}
	l := append([]float64(nil), n.b...)
	for c := range k {
		for i := range d {
			w := n.w[c*d+i]
			if line != nil && !(math.Abs(line.Contributions[class*d+i])*w > line.WeightThresholds[class]) {
				w = 0
			}
			l[c] += w * z[i]
		}
	}
	return v.Of(l, class)
}

// randomLINe is a LINe detector with about half of everything pruned.
func (n network) randomLINe(seed uint64) *games.LINe {
	r := rand.New(rand.NewPCG(seed, 3))
	k := len(n.b)
	p := &games.LINe{Contributions: make([]float64, len(n.w)), ActivationThresholds: make([]float64, k), WeightThresholds: make([]float64, k), Clip: 1}
	for i := range p.Contributions {
		p.Contributions[i] = r.NormFloat64()
	}
	for c := range k {
		p.ActivationThresholds[c] = 0.3 * r.NormFloat64()
		p.WeightThresholds[c] = 0.1 * r.NormFloat64()
	}
	return p
}
