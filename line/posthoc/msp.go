package posthoc

import "slices"

// msp is the maximum softmax probability of Hendrycks and Gimpel (ICLR 2017): max_k p_k, in [1/K, 1].
var msp = Kind{
	Name: "msp", Doc: "max p", Source: "Hendrycks and Gimpel, ICLR 2017",
	Part: always(Part{Score: scoreEach{score: func(_, logits []float64) float64 {
		return 1 / sumExp(logits, slices.Max(logits), 1)
	}}}),
}
