package kernel

import "math"

// LogSumExp computes dst[i] = log(sum over j of exp(src[i, j])) for the n rows of src [n, k], shifted by the row's
// maximum and summed in float64. A row with a NaN gives NaN, a row of -Inf only gives -Inf.
func LogSumExp[T Float](dst, src []T, n, k int) {
	for i := range n {
		m, s := expSum(src[i*k:][:k])
		dst[i] = T(m + math.Log(s))
	}
}

// LogSoftmax computes dst[i, j] = src[i, j] - LogSumExp(src[i]) for the n rows of src [n, k]. dst may be src.
func LogSoftmax[T Float](dst, src []T, n, k int) {
	for i := range n {
		row, out := src[i*k:][:k], dst[i*k:][:k]
		m, s := expSum(row)
		l := math.Log(s)
		for j, v := range row {
			out[j] = T(float64(v) - m - l)
		}
	}
}

// Softmax computes dst[i, j] = exp(src[i, j]) / sum over j' of exp(src[i, j']) for the n rows of src [n, k].
// dst may be src.
func Softmax[T Float](dst, src []T, n, k int) {
	for i := range n {
		row, out := src[i*k:][:k], dst[i*k:][:k]
		m, s := expSum(row)
		for j, v := range row {
			out[j] = T(math.Exp(float64(v)-m) / s)
		}
	}
}

// SoftmaxRows is [Softmax] for many rows, as in attention. In float32 it uses vector code, where there is any, with
// exponentials in float32. Results below 1e-37 may be zero.
func SoftmaxRows[T Float](dst, src []T, n, k int) {
	for i := range n {
		row, out := src[i*k:][:k], dst[i*k:][:k]
		if !is32[T]() || !softmax32(as32(out), as32(row)) {
			Softmax(out, row, 1, k)
		}
	}
}

// softmax32 computes one row. It returns false where there is no vector code, or where the maximum of the row is
// infinite or NaN.
func softmax32(dst, src []float32) bool {
	m := largest(src)
	if m-m != 0 {
		return false
	}
	sum, ok := expSum32(dst, src, m)
	if ok {
		DivBy(dst, dst, sum)
	}
	return ok
}

// expSum returns the row's maximum m (zero unless finite) and the sum of exp(v-m).
func expSum[T Float](row []T) (m, s float64) {
	m = math.Inf(-1)
	for _, v := range row {
		m = max(m, float64(v))
	}
	if math.IsInf(m, 0) {
		m = 0
	}
	for _, v := range row {
		s += math.Exp(float64(v) - m)
	}
	return m, s
}
