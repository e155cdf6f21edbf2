package posthoc

import (
	"math"
	"slices"
)

// always returns a Kind's Part function for a part without parameters.
func always(p Part) func(map[string]float64, int) (Part, error) {
	return func(map[string]float64, int) (Part, error) { return p, nil }
}

// logSumExp returns t log(sum of exp(l/t)) without overflow.
func logSumExp(logits []float64, t float64) float64 {
	top := slices.Max(logits)
	return top + t*math.Log(sumExp(logits, top, t))
}

// sumExp returns the sum of exp((l - top)/t).
func sumExp(logits []float64, top, t float64) float64 {
	var sum float64
	for _, l := range logits {
		sum += math.Exp((l - top) / t)
	}
	return sum
}
