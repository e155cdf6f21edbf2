package kernel

import "math"

// Moments returns the mean of x and 1/√(variance + eps), with the biased variance of x. Without centre it returns zero
// and 1/√(mean square + eps). Sums are in float64, in a fixed order.
func Moments[T Float](x []T, eps float64, centre bool) (mean, invstd float64) {
	m := float64(len(x))
	if centre {
		mean = sum64(x) / m
	}
	return mean, 1 / math.Sqrt(sqDev64(x, mean)/m+eps)
}

// Standardize computes dst = scale*(x-mean) + shift. dst may be x.
func Standardize[T Float](dst, x []T, mean, scale, shift float64) {
	dst = dst[:len(x)]
	// The part of the mean that T cannot hold goes into the shift.
	m := T(mean)
	s, t := T(scale), T(shift-scale*(mean-float64(m)))
	if is32[T]() && (&stream{op: opNormBack, dst: as32(dst), a: as32(x), b: as32(x), t: float32(s), m: float32(m),
		floor: float32(t)}).run() {
		return
	}
	for i, v := range x {
		dst[i] = s*(v-m) + t
	}
}

// StandardizeBackward computes dx, the gradient with respect to x of the function (x-mean)*invstd of x alone, from dy,
// the gradient with respect to its value. mean and invstd are those of Moments, and count as functions of x. dx may be
// dy.
func StandardizeBackward[T Float](dx, dy, x []T, mean, invstd float64, centre bool) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	m := float64(len(dy))
	sum, dot := gradSums64(dy, x, mean)
	if !centre {
		sum = 0
	}
	// dx = invstd*(dy - mean(dy) - xhat*mean(dy*xhat)), xhat = (x-mean)*invstd.
	mu := T(mean)
	slope := -invstd * invstd * invstd * dot / m
	a, b, shift := T(invstd), T(slope), T(-invstd*sum/m-slope*(mean-float64(mu)))
	if is32[T]() && (&stream{
		op: opNormBack, dst: as32(dx), a: as32(dy), b: as32(x), s: float32(a), t: float32(b), m: float32(mu),
		floor: float32(shift),
	}).run() {
		return
	}
	for i, v := range x {
		dx[i] = a*dy[i] + (b*(v-mu) + shift)
	}
}

// DotCentred returns the sum of dy and the sum of dy*(x-mean), in float64.
func DotCentred[T Float](dy, x []T, mean float64) (sum, dot float64) {
	return gradSums64(dy, x[:len(dy)], mean)
}

// Sum returns the sum of x, in float64.
func Sum[T Float](x []T) float64 { return sum64(x) }
