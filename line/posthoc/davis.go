package posthoc

import "math"

// davis is DAVIS of Hassan et al. (arXiv 2601.22703, 2026) with the variance. Features are averages over the pixels
// of a feature map; they become the average plus gamma times the standard deviation (n-1) over the pixels. The score
// is the energy.
var davis = Kind{
	Name: "davis", Doc: "z + gamma times the deviation over the feature map's pixels; energy",
	Source: "Hassan et al., 2026",
	Params: []Parameter{{
		Name: "gamma", Default: 1, Min: 0, Max: math.MaxFloat32, Grid: []float64{0.5, 1, 2, 3},
		Doc: "weight of the standard deviation (ImageNet: 0.5)",
	}},
	Part: func(p map[string]float64, _ int) (Part, error) {
		gamma := p["gamma"]
		return Part{Shape: &pooling{name: "map.std", change: func(z, deviation float64) float64 {
			return z + float64(gamma*deviation)
		}}}, nil
	},
}

// davisMax is DAVIS with the dominant activation: a feature becomes the largest pixel of its channel. The score is
// the energy.
var davisMax = Kind{
	Name: "davis-max", Doc: "the feature map's largest pixels in place of its averages; energy",
	Source: "Hassan et al., 2026",
	Part: func(map[string]float64, int) (Part, error) {
		return Part{Shape: &pooling{name: "map.max", change: func(_, top float64) float64 { return top }}}, nil
	},
}

// pooling is a shaper that replaces features by other statistics of the feature map. Other shapers are fitted to the
// features after it.
type pooling struct {
	unfitted
	name   string
	change func(z, statistic float64) float64
}

// Needs returns the name of the statistic.
func (p *pooling) Needs() []string { return []string{p.name} }

// ReplacesFeatures marks the shaper as one that replaces features.
func (p *pooling) ReplacesFeatures() {}

func (p *pooling) Shape() func(*Block) {
	return func(b *Block) {
		for i := range b.N {
			z := b.FeaturesOf(i)
			for d, v := range b.Extra(p.name, i) {
				z[d] = p.change(z[d], float64(v))
			}
		}
		b.FeaturesChanged()
	}
}
