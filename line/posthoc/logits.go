package posthoc

import (
	"math"
	"slices"
)

// logitMethod makes a method whose score depends on the logits alone; it needs no Fit.
func logitMethod(b base, score func(logits []float32) float64) Method {
	return &funcMethod{b, func(_, logits []float32) float64 { return score(logits) }}
}

// logSumExp returns t log(sum of exp(l/t)) without overflow.
func logSumExp[T float32 | float64](logits []T, t float64) float64 {
	top := float64(slices.Max(logits))
	return top + t*math.Log(sumExp(logits, top, t))
}

// sumExp returns the sum of exp((l - top)/t).
func sumExp[T float32 | float64](logits []T, top, t float64) float64 {
	var sum float64
	for _, l := range logits {
		sum += math.Exp((float64(l) - top) / t)
	}
	return sum
}
