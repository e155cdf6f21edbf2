package posthoc

import (
	"context"
	"math"
	"slices"
)

// logitMethod is a method whose score depends on the logits alone; it needs no Fit.
type logitMethod struct {
	base
	score func(logits []float32) float64
}

// Fit does nothing.
func (m *logitMethod) Fit(context.Context, Head, Samples) error { return nil }

func (m *logitMethod) Score(ctx context.Context, s Samples, dst []float64) error {
	if err := m.checkScore(s, dst); err != nil {
		return err
	}
	return forEachBlock(ctx, s.N, 64, m.workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for i := lo; i < hi; i++ {
				dst[i] = m.score(s.Logits[i*s.Classes : (i+1)*s.Classes])
			}
		}
	})
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
