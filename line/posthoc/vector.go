package posthoc

import (
	"math"
	"slices"
)

// dot is the inner product of two vectors of the same length.
func dot(a, b []float64) float64 {
	var sum float64
	b = b[:len(a)]
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// dot32 is the inner product of a float64 vector with float32 weights.
func dot32(a []float64, w []float32) float64 {
	var sum float64
	w = w[:len(a)]
	for i, v := range a {
		sum += float64(v * float64(w[i]))
	}
	return sum
}

// norm is the Euclidean norm.
func norm(a []float64) float64 { return math.Sqrt(dot(a, a)) }

// norm1 is the sum of absolute values.
func norm1(a []float64) float64 {
	var sum float64
	for _, v := range a {
		sum += math.Abs(v)
	}
	return sum
}

// subtract writes a - b to dst.
func subtract(dst, a, b []float64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

// probabilities writes the softmax of logits to dst.
func probabilities(dst, logits []float64) {
	top := slices.Max(logits)
	var sum float64
	for k, l := range logits {
		dst[k] = math.Exp(l - top)
		sum += dst[k]
	}
	for k := range dst {
		dst[k] /= sum
	}
}

// squaredDistance is ‖a - b‖², over the elements of a.
func squaredDistance(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0 += float64(d0 * d0)
		s1 += float64(d1 * d1)
		s2 += float64(d2 * d2)
		s3 += float64(d3 * d3)
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		d := v - b[i]
		s0 += float64(d * d)
	}
	return (s0 + s1) + (s2 + s3)
}
