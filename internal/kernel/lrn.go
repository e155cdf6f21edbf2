package kernel

import "math"

// LRN is local response normalisation (Krizhevsky et al., NeurIPS 2012, section 3.3) as ONNX defines it:
// y[c] = x[c] / (K + Alpha/Size · sum of x[i]² over i from c-⌊(Size-1)/2⌋ to c+⌈(Size-1)/2⌉)^Beta.
type LRN struct {
	Size           int
	Alpha, Beta, K float64
}

// window returns the range [lo, hi) of channels in the window of channel c.
func (l LRN) window(c, channels int) (lo, hi int) {
	return max(0, c-(l.Size-1)/2), min(channels, c+l.Size/2+1)
}

// lrnChunk is the number of positions of a channel that are processed at a time.
const lrnChunk = 512

// lrnScale computes, for channel c of src [channels, hw], the sum K + Alpha/Size · Σ x² whose power divides x, into the
// hw elements of s.
func lrnScale[T Float](l LRN, s, src []T, c, channels, hw int) {
	var squares [lrnChunk]T
	clear(s)
	lo, hi := l.window(c, channels)
	for i := lo; i < hi; i++ {
		x := src[i*hw:][:hw]
		for at := 0; at < len(s); at += lrnChunk {
			q := squares[:min(lrnChunk, len(s)-at)]
			Mul(q, x[at:][:len(q)], x[at:][:len(q)])
			AddTo(s[at:], q)
		}
	}
	coef := [2]T{T(l.Alpha / float64(l.Size)), T(l.K)}
	Affine(s, s, coef[:1], coef[1:], 1, len(s), false)
}

// negPow replaces each element s by s^-beta.
func negPow[T Float](s []T, beta float64) {
	switch {
	case beta == 0.75 && is32[T]():
		negPow34(as32(s))
	case beta == 0.75:
		for i, v := range s {
			r := math.Sqrt(float64(v))
			s[i] = T(1 / (r * math.Sqrt(r)))
		}
	case beta == 0.5:
		for i, v := range s {
			s[i] = T(1 / math.Sqrt(float64(v)))
		}
	case beta == 1:
		for i, v := range s {
			s[i] = 1 / v
		}
	default:
		for i, v := range s {
			s[i] = T(math.Pow(float64(v), -beta))
		}
	}
}

// negPow34 is negPow for a power of 3/4, which the networks with this layer use.
func negPow34(s []float32) {
	for i, v := range s {
		r := float32(math.Sqrt(float64(v))) // compiled to one float32 instruction
		s[i] = 1 / (r * float32(math.Sqrt(float64(r))))
	}
}

// LRNForward computes dst [channels, hw] from src [channels, hw].
func LRNForward[T Float](l LRN, dst, src []T, channels, hw int) {
	for c := range channels {
		d := dst[c*hw:][:hw]
		lrnScale(l, d, src, c, channels, hw)
		negPow(d, l.Beta)
		Mul(d, d, src[c*hw:][:hw])
	}
}

// LRNBackward computes dx [channels, hw] from dy and x of that shape. scratch has channels·hw elements.
func LRNBackward[T Float](l LRN, dx, dy, x, scratch []T, channels, hw int) {
	// dx[i] = dy[i]*s[i]^-β - 2αβ/size * x[i] * sum of dy[c]*x[c]*s[c]^(-β-1) over the channels c whose windows contain
	// i.
	inner := scratch[:channels*hw]
	for c := range channels {
		at := c * hw
		in, d, xs, g := inner[at:][:hw], dx[at:][:hw], x[at:][:hw], dy[at:][:hw]
		lrnScale(l, in, x, c, channels, hw)
		copy(d, in)
		negPow(d, l.Beta)
		for j, s := range in {
			d[j] *= g[j]
			in[j] = d[j] * xs[j] / s
		}
	}
	k := T(2 * l.Alpha * l.Beta / float64(l.Size))
	for c := range channels {
		lo, hi := l.window(c, channels)
		for j, v := range inner[c*hw:][:hw] {
			for i := lo; i < hi; i++ {
				dx[i*hw+j] -= k * x[i*hw+j] * v
			}
		}
	}
}
