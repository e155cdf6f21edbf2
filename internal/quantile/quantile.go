// Package quantile computes order statistics and percentiles by selection, without sorting.
//
// Percentiles agree with numpy.percentile's default method "linear" (Hyndman and Fan, Sample Quantiles in
// Statistical Packages, 1996, definition 7), evaluated in float64 for either element type.
package quantile

import (
	"fmt"
	"math"
)

// Float is the set of element types whose order statistics can be taken.
type Float interface{ ~float32 | ~float64 }

// countingSize is the length from which Percentile counts digits instead of copying values. For shorter slices a copy
// is cheap and selection by partition is faster; for longer ones the memory of a copy matters more.
const countingSize = 1 << 16

// Percentile returns the p-th percentile of values, p in [0, 100], and does not change values. It takes O(n) time. Up
// to 2^16 elements it copies values; beyond that its memory is constant.
//
// With q = p/100 and v = (n-1)q, the result lies between the order statistics floor(v) and floor(v)+1 at the fraction
// t = v - floor(v): a + (b-a)t for t < 0.5 and b - (b-a)(1-t) otherwise, as numpy computes it.
// Where both order statistics are equal, infinite ones included, that value is the result; between a finite and an
// infinite one the result is the infinite one.
//
// It is an error if values is empty or holds a NaN (the error gives the index of the first), if p is NaN or outside of
// [0, 100], or if the percentile lies strictly between -Inf and +Inf.
func Percentile[T Float](values []T, p float64) (float64, error) {
	k, t, err := position(values, p)
	if err != nil {
		return 0, err
	}
	if len(values) <= countingSize {
		return between(pair(append([]T(nil), values...), k, t), t)
	}
	return between(countedPair(values, k, t), t)
}

// PercentileInPlace is Percentile without the copy: it reorders values. The result is the same.
func PercentileInPlace[T Float](values []T, p float64) (float64, error) {
	k, t, err := position(values, p)
	if err != nil {
		return 0, err
	}
	return between(pair(values, k, t), t)
}

// position validates the arguments and returns the index of the lower order statistic and the fraction above it.
func position[T Float](values []T, p float64) (k int, t float64, err error) {
	for i, v := range values {
		if v != v {
			return 0, 0, fmt.Errorf("quantile: value %d of %d is NaN", i, len(values))
		}
	}
	return Position(len(values), p)
}

// Position returns where the p-th percentile of n values lies: between order statistic k, counted from 0, and k+1, at
// the fraction t, 0 <= t < 1. It is an error if n < 1 or p is not in [0, 100].
func Position(n int, p float64) (k int, t float64, err error) {
	if n < 1 {
		return 0, 0, fmt.Errorf("quantile: no values")
	}
	if !(p >= 0 && p <= 100) {
		return 0, 0, fmt.Errorf("quantile: expected a percentile in [0, 100], got %v", p)
	}
	virtual := float64(n-1) * (p / 100)
	floor := math.Floor(virtual)
	return int(floor), virtual - floor, nil
}

// Between interpolates between neighbouring order statistics a <= b at the fraction t in [0, 1), as Percentile does.
func Between(a, b, t float64) (float64, error) { return between([2]float64{a, b}, t) }

// pair returns the order statistics k and k+1 of values, which it reorders. The second equals the first if t is 0.
func pair[T Float](values []T, k int, t float64) [2]float64 {
	lower := Select(values, k)
	upper := lower
	if t > 0 {
		upper = values[k+1]
		for _, v := range values[k+2:] {
			upper = min(upper, v)
		}
	}
	return [2]float64{float64(lower), float64(upper)}
}

// between interpolates linearly between the two values of ab, a <= b, at the fraction t in [0, 1).
func between(ab [2]float64, t float64) (float64, error) {
	a, b := ab[0], ab[1]
	switch {
	case t == 0:
		return a, nil
	case math.IsInf(a, -1) && math.IsInf(b, 1):
		return 0, fmt.Errorf("quantile: the percentile falls between -Inf and +Inf")
	case math.IsInf(a, -1):
		return a, nil
	case math.IsInf(b, 1):
		return b, nil
	}
	d := b - a
	if math.IsInf(d, 0) { // the difference overflows although both ends are finite
		return float64(a*(1-t)) + float64(b*t), nil
	}
	// The conversions keep the compiler from fusing multiplication and addition, which would change the last bit.
	if t >= 0.5 {
		return b - float64(d*(1-t)), nil
	}
	return a + float64(d*t), nil
}
