// Package resample resizes 8-bit RGB pictures with the same bits as Pillow's Image.resize(size, filter), which
// torchvision's Resize uses for PIL images. Bilinear and bicubic are separable filters that widen with the reduction
// factor (antialiasing). Their weights are 22-bit fixed point. The horizontal pass comes first; each pass rounds to 8
// bits; a pass whose side keeps its length is omitted. Nearest copies one input pixel for each output pixel.
//
// "Pillow" stands for every version from 9.4 to 12.3, with one exception: 12.2 and 12.3 do the vertical pass first
// for pictures that become lower and are more than a hundred times as high as wide. Pillow 13 does so where the
// height shrinks by more than twice as many pixels as the width. That changes single samples by one.
package resample

import "math"

// Kind is an interpolation method.
type Kind uint8

// The kinds, Pillow's BILINEAR, BICUBIC and NEAREST.
const (
	Bilinear Kind = iota
	Bicubic
	Nearest
)

// radius is half the width of the filter at a scale of 1, in input samples.
func (k Kind) radius() float64 {
	if k == Bicubic {
		return 2
	}
	return 1
}

// weight is the value of the filter at a distance from its centre, for a scale of 1. The conversions here and below
// keep the compiler from fusing product and sum, which would round differently.
func (k Kind) weight(distance float64) float64 {
	x := math.Abs(distance)
	switch {
	case k != Bicubic:
		return max(1-x, 0)
	case x < 1: // the cubic convolution of Keys (1981) with a = -0.5, inner and outer piece
		return float64(float64((float64(1.5*x)-2.5)*x)*x) + 1
	case x < 2:
		return float64(float64(float64((float64((x-5)*x)+8)*x)-4) * -0.5)
	}
	return 0
}

// precisionBits is the number of fraction bits of a weight. It leaves 8 bits for a sample and two bits of headroom in
// 32 bits.
const precisionBits = 32 - 8 - 2

// filter holds the input positions, and their weights, for consecutive output positions.
type filter struct {
	start   []int   // first input position per output position
	count   []int   // number of input positions
	weights []int32 // [outputs, taps], 2^precisionBits stands for 1; zero beyond count
	taps    int
}

// newFilter computes the filter from in to out samples for the outputs lo <= i < hi.
func newFilter(kind Kind, in, out, lo, hi int) *filter {
	if kind == Nearest {
		return newNearest(in, out, lo, hi)
	}
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(kind.radius() * stretch) // half the width of the filter, in input samples
	inverse := 1 / stretch
	taps := int(math.Ceil(support))*2 + 1
	n := hi - lo
	f := &filter{start: make([]int, n), count: make([]int, n), taps: min(taps, in)}
	f.weights = make([]int32, n*f.taps)
	w := make([]float64, f.taps)
	for i := range n {
		center := float64((float64(lo+i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), in)
		sum := 0.0
		for j := range end - first {
			w[j] = kind.weight(float64((float64(first+j) - center + 0.5) * inverse))
			sum += w[j]
		}
		f.start[i], f.count[i] = first, end-first
		for j := range end - first {
			if sum != 0 {
				w[j] /= sum
			}
			f.weights[i*f.taps+j] = fixed(w[j])
		}
		f.trim(i)
	}
	return f
}

// fixed rounds a weight to fixed point, halves away from zero.
func fixed(w float64) int32 {
	return int32(math.Copysign(0.5, w) + float64(w*(1<<precisionBits)))
}

// newNearest is newFilter with a single sample of weight 1 for each output: the one under the output's centre. As in
// Pillow the centre is computed by repeated addition, whose rounding errors accumulate.
func newNearest(in, out, lo, hi int) *filter {
	n := hi - lo
	f := &filter{start: make([]int, n), count: make([]int, n), weights: make([]int32, n), taps: 1}
	step := float64(in) / float64(out)
	at := float64(step * 0.5)
	for i := range hi {
		if i >= lo {
			f.start[i-lo], f.count[i-lo], f.weights[i-lo] = min(int(at), in-1), 1, 1<<precisionBits
		}
		at += step
	}
	return f
}

// trim drops zero weights at both ends of output i, which change nothing and cost time.
func (f *filter) trim(i int) {
	w := f.weights[i*f.taps : (i+1)*f.taps]
	for f.count[i] > 1 && w[f.count[i]-1] == 0 {
		f.count[i]--
	}
	for f.count[i] > 1 && w[0] == 0 {
		copy(w, w[1:f.count[i]])
		f.count[i]--
		f.start[i]++
		w[f.count[i]] = 0
	}
}

// at returns the first input position and the weights of output i.
func (f *filter) at(i int) (start int, weights []int32) {
	return f.start[i], f.weights[i*f.taps:][:f.count[i]]
}

// span returns the range of input positions that any output uses.
func (f *filter) span() (lo, hi int) {
	lo, hi = f.start[0], 0
	for i, s := range f.start {
		lo, hi = min(lo, s), max(hi, s+f.count[i])
	}
	return lo, hi
}
