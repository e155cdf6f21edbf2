//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math"
	"unsafe"
)

// unaryArgs are the arguments of the kernels of elementwise functions.
type unaryArgs struct {
	dst, src, grad unsafe.Pointer
	n              int
	lanes          unsafe.Pointer
	constants      unsafe.Pointer
	p              [3]struct{ v, _ float32 }
}

// unaryConstants holds the vectors that gen/unary.go names, in the same order.
var unaryConstants = func() [][8]float32 {
	one := []float32{
		0, 1, 2, 4, 0.5, 3, sixth, 1.0 / 3, log2e, magic, ln2Hi, ln2Lo, math.Float32frombits(1<<31 - 1),
		math.Float32frombits(1 << 31),
		expLow, expHigh, expm1Low, mishHigh, geluHigh, erfSmall, math.Sqrt2, invSqrt2Pi, tanhScale, tanhCube,
		3 * tanhCube,
	}
	for _, poly := range [][]float32{expPoly[:], log1pPoly[:], tailPoly[:], erfPoly[:]} {
		one = append(one, poly...)
	}
	vectors := make([][8]float32, len(one))
	for i, v := range one {
		for lane := range vectors[i] {
			vectors[i][lane] = v
		}
	}
	return vectors
}()

// run computes dst = f(src) or, unless dy is nil, dst = dy·f'(src). It returns false where no vector code does.
func (u *unary32) run(dst, dy, src []float32) bool {
	if currentLevel() == generic || dy == nil && u.in64() || dy != nil && u.slopeIn64() {
		return false
	}
	if len(src) == 0 {
		return true
	}
	args := unaryArgs{dst: ptr(dst, 0), src: ptr(src, 0), n: len(src), lanes: unsafe.Pointer(&laneTable),
		constants: unsafe.Pointer(&unaryConstants[0])}
	for i, p := range u.p {
		args.p[i].v = p
	}
	if dy == nil {
		return unaryOf(u.Kind, &args)
	}
	args.grad = ptr(dy, 0)
	return slopeOf(u.Kind, &args)
}
