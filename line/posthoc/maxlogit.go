package posthoc

import "slices"

// maxLogit is the maximum logit of Hendrycks et al. (Scaling Out-of-Distribution Detection for Real-World Settings,
// ICML 2022): max_k l_k.
var maxLogit = Kind{
	Name: "maxlogit", Doc: "max l", Source: "Hendrycks et al., ICML 2022",
	Part: always(Part{Score: scoreEach{score: func(_, logits []float64) float64 { return slices.Max(logits) }}}),
}
