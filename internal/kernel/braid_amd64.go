//go:build amd64 && !noasm

package kernel

import "unsafe"

// braidArgs are the arguments of the kernel that puts rows side by side.
type braidArgs struct {
	dst    unsafe.Pointer // eight lanes for each column
	stride int            // bytes from column to column of dst, written in order
	n      int            // columns, a multiple of four, at least that
	src    [8]unsafe.Pointer
}

// braid writes dst[l*rows+i] = src[i*lda+l] for the rows i, at most twelve, and the columns l < n. It may write seven
// elements beyond.
func braid(dst []float32, rows int, src []float32, lda, n int) {
	if rows > 8 { // what the upper rows write into the lanes of the lower ones, those then overwrite
		braidEight(dst[8:], rows, src[8*lda:], lda, n, rows-8)
	}
	braidEight(dst, rows, src, lda, n, min(rows, 8))
}

// braidEight is braid for so many rows, at most eight, whose columns lie stride elements apart.
func braidEight(dst []float32, stride int, src []float32, lda, n, rows int) {
	whole := n &^ 3
	if whole > 0 {
		_, _ = dst[(whole-1)*stride+7], src[(rows-1)*lda+n-1]
		a := braidArgs{dst: ptr(dst, 0), stride: 4 * stride, n: whole}
		for i := range a.src {
			a.src[i] = ptr(src, min(i, rows-1)*lda)
		}
		braidAVX2(&a)
	}
	for l := whole; l < n; l++ {
		out := dst[l*stride:][:rows]
		for i := range out {
			out[i] = src[i*lda+l]
		}
	}
}
