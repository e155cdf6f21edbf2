//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// braidArgs are the arguments of the kernel that interleaves rows.
type braidArgs struct {
	dst    unsafe.Pointer // gets eight lanes for each column
	stride int            // bytes from column to column of dst; columns are written in order
	n      int            // number of columns, a positive multiple of four
	src    [8]unsafe.Pointer
}

// braid interleaves at most twelve rows: dst[l*rows+i] = src[i*lda+l] for each row i and column l < n. It may write up
// to seven elements beyond them.
func braid(dst []float32, rows int, src []float32, lda, n int) {
	if rows > 8 { // the upper rows come first: they also write to the lanes of the lower rows, which overwrite that
		braidEight(dst[8:], rows, src[8*lda:], lda, n, rows-8)
	}
	braidEight(dst, rows, src, lda, n, min(rows, 8))
}

// braidEight interleaves at most eight rows, with columns stride elements apart in dst.
func braidEight(dst []float32, stride int, src []float32, lda, n, rows int) {
	whole := n &^ 3
	if whole > 0 {
		_, _ = dst[(whole-1)*stride+7], src[(rows-1)*lda+n-1]
		a := braidArgs{dst: ptr(dst, 0), stride: 4 * stride, n: whole}
		for i := range a.src {
			a.src[i] = ptr(src, min(i, rows-1)*lda)
		}
		braidColumns(&a)
	}
	for l := whole; l < n; l++ {
		out := dst[l*stride:][:rows]
		for i := range out {
			out[i] = src[i*lda+l]
		}
	}
}
