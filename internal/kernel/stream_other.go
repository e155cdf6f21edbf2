//go:build (!amd64 && !arm64) || noasm

package kernel

func (*stream) run() bool { return false }

type momentArgs struct{ mean, sum, dot float64 }

func moment32(momentKind, []float32, []float32, *momentArgs) int { return 0 }

func gate32(dst, grad, y []float32, mul float32, accumulate bool) bool { return false }

func dots32(rows, n int, a []float32, lda int, b []float32, ldb, cols int, c []float32, ldc int) bool {
	return false
}

func routed32(dst, z, w, absC []float32, threshold float32) bool { return false }

func spread32(dst, coef, w []float32, ldw int, absC []float32, threshold float32) bool { return false }

func avgPool2Rows(dst, src []float32, rows, cols, w int) int { return 0 }

func select32(dst, on, off []float32, bits []uint64) int { return 0 }
