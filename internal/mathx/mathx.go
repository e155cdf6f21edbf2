// Package mathx holds the small numerical helpers that several packages need. Each adds up in one fixed order, so that
// its callers give the same bits on every run.
package mathx

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Float64s returns the numbers in double precision.
func Float64s(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// FirstNotFinite is the index of the first NaN or ±Inf, or -1.
func FirstNotFinite[T float32 | float64](x []T) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// ArgMax is the index of the first of the largest entries.
func ArgMax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// Mean is the sum over the length, NaN for no numbers.
func Mean(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total / float64(len(x))
}

// LogSumExp is log Σ exp(x_k), shifted by the largest entry so that it neither overflows nor loses the small ones. It
// panics for no numbers.
func LogSumExp(x []float64) float64 {
	m := x[0]
	for _, v := range x[1:] {
		m = max(m, v)
	}
	if math.IsInf(m, 0) {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}

// QuantileT is the quantile of Student's t with df degrees of freedom, of the normal distribution for +Inf, NaN where
// df is not positive.
func QuantileT(p, df float64) float64 {
	switch {
	case !(df > 0):
		return math.NaN()
	case df > 1e6:
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}
