package linalg

import "math"

// codes describes the approximation of a row x by integers times a gain: x = gain*codes + e. The Euclidean length of
// the integers is kept below the square root of 2^31. By the inequality of Cauchy and Schwarz no sum of products of
// two rows' integers can then overflow int32, in whatever order it is computed. Each integer is below 2^15.
type codes struct {
	gain float64 // 0 for a row of zeros
	norm float64 // ‖x‖
	off  float64 // an upper bound of ‖e‖
}

// magic rounds a small float64 to the nearest integer, half-way cases to even, when it is added and subtracted again.
const magic = 1.5 * (1 << 52)

// encode writes the integers of x, that of element l to dst[l/2*stride+l%2].
func encode(dst []int16, stride int, x []float32) codes {
	var c codes
	c.norm = math.Sqrt(squaredNorm(x))
	if c.norm == 0 {
		for l := range x {
			dst[l/2*stride+l%2] = 0
		}
		return c
	}
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(float64(v)))
	}
	// Rounding changes each integer by at most a half, and so their length by at most half of √len(x).
	length := math.Sqrt(math.MaxInt32) - 0.5*math.Sqrt(float64(len(x))) - 1
	c.gain = max(c.norm/length, most/math.MaxInt16)
	scale := 1 / c.gain
	sum := 0.0
	for l := 0; l+1 < len(x); l += 2 {
		to := dst[l/2*stride:][:2]
		a, b := float64(x[l]), float64(x[l+1])
		p, q := (float64(a*scale)+magic)-magic, (float64(b*scale)+magic)-magic
		to[0], to[1] = int16(p), int16(q)
		a -= float64(p * c.gain)
		b -= float64(q * c.gain)
		sum += float64(a*a) + float64(b*b)
	}
	if l := len(x) - 1; l%2 == 0 {
		a := float64(x[l])
		p := (float64(a*scale) + magic) - magic
		dst[l/2*stride] = int16(p)
		a -= float64(p * c.gain)
		sum += float64(a * a)
	}
	c.off = math.Sqrt(sum)*(1+rounding(len(x))) + c.norm*rounding(len(x))
	return c
}

// rounding bounds the relative rounding error of a sum of dim positive terms in float64, with a margin.
func rounding(dim int) float64 { return float64(dim+64) * 0x1p-51 }
