// Package mathx holds small numerical helpers that several packages need. Each sums in one fixed order, so that its
// callers give the same bits on every run.
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

// FirstNotFinite returns the index of the first NaN or ±Inf, or -1 if there is none.
func FirstNotFinite[T float32 | float64](x []T) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// ArgMax returns the index of the largest entry, the first of equal ones.
func ArgMax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// Mean returns the mean of x, NaN if x is empty.
func Mean(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total / float64(len(x))
}

// LogSumExp returns log Σ exp(x_k), summed in float64 and shifted by the largest entry, so that it neither overflows
// nor loses small entries. It panics if x is empty.
func LogSumExp[T float32 | float64](x []T) float64 {
	m := float64(x[0])
	for _, v := range x[1:] {
		m = max(m, float64(v))
	}
	if math.IsInf(m, 0) {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(float64(v) - m)
	}
	return m + math.Log(s)
}

// QuantileT returns the quantile p of Student's t distribution with df degrees of freedom, of the normal distribution
// for df = +Inf, and NaN if df is not positive.
func QuantileT(p, df float64) float64 {
	switch {
	case !(df > 0):
		return math.NaN()
	case df > 1e6:
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(p)
}
