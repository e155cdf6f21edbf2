//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// gateArgs are the arguments of the gate kernels.
type gateArgs struct {
	dst        unsafe.Pointer
	dstStride  int // bytes from row to row
	grad       unsafe.Pointer
	gradStride int
	x          unsafe.Pointer
	xStride    int
	rows       int // at least 1
	cols       int // at least 1
	mul        unsafe.Pointer
	scale      unsafe.Pointer
	shift      unsafe.Pointer
	step       int // bytes from row to row of mul, scale and shift
	table      unsafe.Pointer
	accumulate int // not zero: add to dst
}

func gate(l level, a *gateArgs) {
	a.table = unsafe.Pointer(&laneTable)
	gateRows(l, a)
}

// one32 and zero32 are the coefficients of rows that have none.
var one32, zero32 = float32(1), float32(0)

// gate32 computes dst = mul*grad where y > 0 and 0 elsewhere or, with accumulate, adds that to dst. It returns false
// where no vector code does.
func gate32(dst, grad, y []float32, mul float32, accumulate bool) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	if len(grad) == 0 {
		return true
	}
	a := gateArgs{
		dst: ptr(dst[:len(grad)], 0), grad: ptr(grad, 0), x: ptr(y[:len(grad)], 0), rows: 1, cols: len(grad),
		mul: unsafe.Pointer(&mul), scale: unsafe.Pointer(&one32), shift: unsafe.Pointer(&zero32),
	}
	if accumulate {
		a.accumulate = 1
	}
	gate(l, &a)
	return true
}
