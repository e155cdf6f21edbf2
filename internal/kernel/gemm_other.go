//go:build !amd64 || noasm

package kernel

func gemmScratch(m, n, k int) int { return 0 }

func gemm32(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, scratch []float32) bool {
	return false
}
