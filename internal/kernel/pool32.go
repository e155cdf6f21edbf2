//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// pool2Args are the arguments of the kernels that average windows of 2x2.
type pool2Args struct {
	dst        unsafe.Pointer
	src        unsafe.Pointer
	srcRow     int // bytes
	rows, cols int // of outputs, at least 1
	table      unsafe.Pointer
}

// avgPool2Rows averages 2x2 windows to rows rows of cols outputs each, and returns how many columns of each row it has
// computed. dst is dense; src has w columns.
func avgPool2Rows(dst, src []float32, rows, cols, w int) int {
	l, lanes := pool2Shape(cols)
	done := cols &^ (lanes - 1)
	if l == generic || done == 0 || rows == 0 {
		return 0
	}
	_, _ = dst[rows*cols-1], src[(2*rows-1)*w+2*cols-1]
	a := pool2Args{dst: ptr(dst, 0), src: ptr(src, 0), srcRow: 4 * w, rows: rows, cols: cols}
	pool2(l, &a)
	return done
}
