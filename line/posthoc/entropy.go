package posthoc

import "math"

// entropy is the negated Shannon entropy of the predicted probabilities: sum_k p_k log p_k, in [-log K, 0]. It is among
// the scores that Hendrycks and Gimpel (ICLR 2017) and Macêdo et al. (IEEE TNNLS 2022) compare.
var entropy = Kind{
	Name: "entropy", Doc: "sum p log p", Source: "Macêdo et al., TNNLS 2022",
	Part: always(Part{Score: scoreEach{score: func(_, logits []float64) float64 {
		s := softmaxOf(logits)
		var sum float64
		for _, l := range logits {
			p := s.logP(l)
			sum += float64(math.Exp(p) * p)
		}
		return sum
	}}}),
}
