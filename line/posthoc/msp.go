package posthoc

import "slices"

// newMSP makes the maximum softmax probability of Hendrycks and Gimpel (ICLR 2017): max_k p_k, in [1/K, 1].
func newMSP(params map[string]float64, workers int) Method {
	return logitMethod(base{"msp", params, workers}, func(logits []float32) float64 {
		return 1 / sumExp(logits, float64(slices.Max(logits)), 1)
	})
}
