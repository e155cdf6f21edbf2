package posthoc

// lts is LTS, logit scaling, of Djurisic, Liu and Nikolić (2024, arXiv 2409.01175): the energy of l (s1/s2)², with s1
// the sum of relu(z) and s2 the sum of its k = n - round(n p/100) largest entries, at least one. Where s1 = s2, for
// example where all features are zero, s1/s2 is 1.
var lts = Kind{
	Name: "lts", Doc: "l times (s1/s2)^2, s2 the sum of the largest (100-p) % of relu(z); energy",
	Source: "Djurisic, Liu and Nikolić, Machine Vision and Applications 2025",
	Params: keepParameter(95, "percentage of features that s2 leaves out"),
	Part: func(p map[string]float64, _ int) (Part, error) {
		return Part{Shape: ltsShaper{percent: p["p"]}}, nil
	},
}

type ltsShaper struct {
	unfitted
	percent float64
}

func (s ltsShaper) Shape() func(*Block) {
	k := &keeper{percent: s.percent}
	var z []float64
	return func(b *Block) {
		for i := range b.N {
			z = relu(z, b.FeaturesOf(i))
			_, _, all, kept := k.threshold(z)
			r := ratio(all, kept)
			b.ScaleLogits(i, r*r)
		}
	}
}
