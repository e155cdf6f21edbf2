package kernel

// MatMul computes dst [m, n] = a · b, or adds it to dst with accumulate. a is [m, k] in memory, or [k, m] with transA, b is
// [k, n], or [n, k] with transB. The bits of an element depend on its row of a, its column of b and k alone.
func MatMul[T Float](dst, a, b []T, m, k, n int, transA, transB, accumulate bool) {
	dst, a, b = dst[:m*n], a[:m*k], b[:k*n]
	if !accumulate {
		clear(dst)
	}
	row, step := k, 1 // from row to row of a, and along one
	if transA {
		row, step = 1, m
	}
	for i := range m {
		out := dst[i*n:][:n]
		for l := range k {
			v := a[i*row+l*step]
			if !transB {
				axpyGeneric(out, b[l*n:][:n], v)
				continue
			}
			for j := range out {
				out[j] += v * b[j*k+l]
			}
		}
	}
}
