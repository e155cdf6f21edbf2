package kernel

// Gemm computes C = alpha·op(A)·op(B) + beta·C with op(A) [m, k], op(B) [k, n] and C [m, n], row-major with leading
// dimensions lda, ldb and ldc. With transA, A is stored [k, m]; with transB, B is stored [n, k]. With beta zero C is
// not read. C must not overlap A, B or scratch.
func Gemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, scratch []T) {
	if m == 0 || n == 0 {
		return
	}
	for i := range m {
		row := c[i*ldc:][:n]
		if beta == 0 {
			clear(row)
		} else if beta != 1 {
			Scale(row, row, beta)
		}
	}
	if k == 0 {
		return
	}
	if is32[T]() && gemm32(transA, transB, m, n, k, float32(alpha), as32(a), lda, as32(b), ldb, as32(c), ldc, as32(scratch)) {
		return
	}
	gemmGeneric(transA, transB, m, n, k, alpha, a, lda, b, ldb, c, ldc)
}

// GemmScratch returns how many elements of scratch Gemm needs.
func GemmScratch(m, n, k int) int { return gemmScratch(m, n, k) }

func gemmGeneric[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, c []T, ldc int) {
	for i := range m {
		row := c[i*ldc:][:n]
		for p := range k {
			v := alpha
			if transA {
				v *= a[p*lda+i]
			} else {
				v *= a[i*lda+p]
			}
			if !transB {
				axpyGeneric(row, b[p*ldb:][:n], v)
				continue
			}
			for j := range row {
				row[j] += v * b[j*ldb+p]
			}
		}
	}
}
