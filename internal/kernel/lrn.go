package kernel

import "math"

// LRN is local response normalisation (Krizhevsky et al., NeurIPS 2012, section 3.3) as ONNX defines it:
// y[c] = x[c] / (K + Alpha/Size · sum of x[i]² over i from c-⌊(Size-1)/2⌋ to c+⌈(Size-1)/2⌉)^Beta.
type LRN struct {
	Size           int
	Alpha, Beta, K float64
}

// window returns the channels, of so many, that count for channel c.
func (l LRN) window(c, channels int) (lo, hi int) {
	return max(0, c-(l.Size-1)/2), min(channels, c+l.Size/2+1)
}

// lrnScale computes into s the base of the power of channel c for src [channels, hw].
func lrnScale[T Float](l LRN, s, src []T, c, channels, hw int) {
	clear(s)
	lo, hi := l.window(c, channels)
	for i := lo; i < hi; i++ {
		for j, v := range src[i*hw:][:hw] {
			s[j] += v * v
		}
	}
	a, k := T(l.Alpha/float64(l.Size)), T(l.K)
	for j, v := range s {
		s[j] = a*v + k
	}
}

// negPow returns x^-beta.
func negPow[T Float](x T, beta float64) T {
	switch v := float64(x); beta {
	case 0.75:
		r := math.Sqrt(v)
		return T(1 / (r * math.Sqrt(r)))
	case 0.5:
		return T(1 / math.Sqrt(v))
	case 1:
		return 1 / x
	default:
		return T(math.Pow(v, -beta))
	}
}

// LRNForward computes dst [channels, hw] from src [channels, hw].
func LRNForward[T Float](l LRN, dst, src []T, channels, hw int) {
	for c := range channels {
		d, x := dst[c*hw:][:hw], src[c*hw:][:hw]
		lrnScale(l, d, src, c, channels, hw)
		for j, s := range d {
			d[j] = x[j] * negPow(s, l.Beta)
		}
	}
}

// LRNBackward computes dx [channels, hw] from dy and x of that shape. scratch has channels·hw elements.
func LRNBackward[T Float](l LRN, dx, dy, x, scratch []T, channels, hw int) {
	// dx[i] = dy[i]*s[i]^-β - 2αβ/size * x[i] * sum of dy[c]*x[c]*s[c]^(-β-1) over the c whose windows hold i.
	inner := scratch[:channels*hw]
	for c := range channels {
		at := c * hw
		in, d, xs, g := inner[at:][:hw], dx[at:][:hw], x[at:][:hw], dy[at:][:hw]
		lrnScale(l, in, x, c, channels, hw)
		for j, s := range in {
			p := g[j] * negPow(s, l.Beta)
			d[j] = p
			in[j] = p * xs[j] / s
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
