// Package resample resizes 8-bit RGB pictures with the same bits as Pillow's Image.resize(size, BILINEAR), on which
// torchvision's Resize for PIL images rests: a separable triangle filter that widens with the reduction factor
// (antialias), weights in 22-bit fixed point, the horizontal pass first, each pass rounded to 8 bits, and a pass left out
// where that side keeps its length.
//
// "Pillow" is every version from 9.4 to 12.3. Pillow 13 runs the vertical pass first where the height shrinks by more than
// twice as many pixels as the width, which moves single samples by one.
package resample

import "math"

// precisionBits leaves room for the 8 bits of a sample, and two bits of headroom, in 32 bits.
const precisionBits = 32 - 8 - 2

// filter holds, for consecutive output positions, the input positions that count and their weights.
type filter struct {
	start   []int   // first input position per output position
	count   []int   // number of input positions
	weights []int32 // [outputs, taps], 2^precisionBits stands for 1; zero behind count
	taps    int
}

// newFilter computes the triangle filter from in to out samples for the outputs lo <= i < hi.
func newFilter(in, out, lo, hi int) *filter {
	scale := float64(in) / float64(out)
	support := max(scale, 1) // half the width of the triangle, in input samples
	inverse := 1 / support
	taps := int(math.Ceil(support))*2 + 1
	n := hi - lo
	f := &filter{start: make([]int, n), count: make([]int, n), taps: min(taps, in)}
	f.weights = make([]int32, n*f.taps)
	w := make([]float64, f.taps)
	for i := range n {
		// The conversions keep the compiler from fusing product and sum, which would round differently.
		center := float64((float64(lo+i) + 0.5) * scale)
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), in)
		sum := 0.0
		for j := range end - first {
			w[j] = max(1-math.Abs(float64((float64(first+j)-center+0.5)*inverse)), 0)
			sum += w[j]
		}
		f.start[i], f.count[i] = first, end-first
		for j := range end - first {
			if sum != 0 {
				w[j] /= sum
			}
			f.weights[i*f.taps+j] = int32(0.5 + float64(w[j]*(1<<precisionBits)))
		}
		f.trim(i)
	}
	return f
}

// trim drops zero weights at both ends of output i: they change nothing and cost time.
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
