package posthoc

import "slices"

// newMaxLogit makes the maximum logit of Hendrycks et al. (Scaling Out-of-Distribution Detection for Real-World
// Settings, ICML 2022): max_k l_k.
func newMaxLogit(params map[string]float64, workers int) Method {
	return logitMethod(base{"maxlogit", params, workers}, func(logits []float32) float64 {
		return float64(slices.Max(logits))
	})
}
