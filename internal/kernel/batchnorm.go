package kernel

import "math"

// BatchNorm normalises each channel of a batch with the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1):
//
//	y = relu?(gamma*(x-mean)*invstd + beta [+ residual])
//
// where mean and variance are over the samples and positions of a channel and invstd = 1/sqrt(variance+eps). Samples
// [c, hw] are given one by one: all to Observe and then, after Settle, all to Forward.
//
// Sums are in float64, in the order in which samples are observed. Squares are summed about the mean of a channel in
// the first sample. It is at most √n standard deviations away from the mean of all n samples (by Cauchy and Schwarz),
// so the variance loses at most a factor of 1+n of float64's precision.
type BatchNorm[T Float] struct {
	Mean, Variance, InvStd []T // [c], of the last Settle; the variance is the biased one

	hw            int
	eps           float64
	relu          bool
	n             int       // samples observed
	shift         []float64 // what is subtracted before the squares
	sum, square   []float64
	scale, offset []T // y = scale*x + offset
}

// NewBatchNorm returns a BatchNorm for samples [channels, hw]. With relu, Forward applies a ReLU.
func NewBatchNorm[T Float](channels, hw int, eps float64, relu bool) *BatchNorm[T] {
	f := &BatchNorm[T]{hw: hw, eps: eps, relu: relu}
	for _, v := range []*[]T{&f.Mean, &f.Variance, &f.InvStd, &f.scale, &f.offset} {
		*v = make([]T, channels)
	}
	for _, v := range []*[]float64{&f.shift, &f.sum, &f.square} {
		*v = make([]float64, channels)
	}
	return f
}

// Reset begins the observation of a batch.
func (f *BatchNorm[T]) Reset() {
	f.n = 0
	clear(f.shift)
	clear(f.sum)
	clear(f.square)
}

// Observe adds a sample to the statistics.
func (f *BatchNorm[T]) Observe(x []T) {
	x = x[:len(f.sum)*f.hw]
	if f.n == 0 {
		f.addSums(x) // for the shift; the squares are dropped
		for c := range f.shift {
			f.shift[c], f.sum[c], f.square[c] = f.sum[c]/float64(f.hw), 0, 0
		}
	}
	f.n++
	f.addSums(x)
}

// addSums adds, for each channel of a sample, the elements and the squares of their distances from shift.
func (f *BatchNorm[T]) addSums(x []T) {
	if is32[T]() && f.sums32(as32(x)) {
		return
	}
	for c := range f.sum {
		row := x[c*f.hw:][:f.hw]
		f.sum[c] += sum64(row)
		f.square[c] += sqDev64(row, f.shift[c])
	}
}

// Settle computes the statistics and the normalisation from the samples observed.
func (f *BatchNorm[T]) Settle(gamma, beta []T) {
	m := float64(f.n * f.hw)
	for c := range f.sum {
		mu := f.sum[c] / m
		v := f.square[c]/m - float64((mu-f.shift[c])*(mu-f.shift[c]))
		if v < 0 { // by rounding alone
			v = 0
		}
		inv := 1 / math.Sqrt(v+f.eps)
		f.Mean[c], f.Variance[c], f.InvStd[c] = T(mu), T(v), T(inv)
		scale := float64(gamma[c]) * inv
		f.scale[c], f.offset[c] = T(scale), T(float64(beta[c])-mu*scale)
	}
}

// Forward computes dst [c, hw] from a sample. residual, nil for none, is added in front of the ReLU. dst may be x.
func (f *BatchNorm[T]) Forward(dst, x, residual []T) {
	size := len(f.sum) * f.hw
	dst, x = dst[:size], x[:size]
	if residual != nil {
		residual = residual[:size]
	}
	if is32[T]() && f.forward32(as32(dst), as32(x), as32(residual)) {
		return
	}
	Affine(dst, x, f.scale, f.offset, len(f.scale), f.hw, f.relu && residual == nil)
	if residual != nil {
		AddTo(dst, residual)
		if f.relu {
			ReLU(dst, dst)
		}
	}
}

// momentKind chooses the terms that are summed in float64.
type momentKind int

const (
	momentSum    momentKind = iota // x
	momentSquare                   // (x-mean)²
	momentGrad                     // y, and y*(x-mean)
)

func sum64[T Float](x []T) float64 {
	var a momentArgs
	if is32[T]() {
		x = x[moment32(momentSum, as32(x), nil, &a):]
	}
	for _, v := range x {
		a.sum += float64(v)
	}
	return a.sum
}

func sqDev64[T Float](x []T, mean float64) float64 {
	a := momentArgs{mean: mean}
	if is32[T]() {
		x = x[moment32(momentSquare, as32(x), nil, &a):]
	}
	for _, v := range x {
		d := float64(v) - mean
		a.sum += d * d
	}
	return a.sum
}

func gradSums64[T Float](dy, x []T, mean float64) (sum, dot float64) {
	a := momentArgs{mean: mean}
	if is32[T]() {
		n := moment32(momentGrad, as32(x), as32(dy), &a)
		dy, x = dy[n:], x[n:]
	}
	for i, v := range dy {
		a.sum += float64(v)
		a.dot += float64(v) * (float64(x[i]) - mean)
	}
	return a.sum, a.dot
}
