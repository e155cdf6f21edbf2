//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"math"
	"unsafe"
)

// pair32 computes an elementwise operation of one array and another or a number. It returns false where no vector code
// does.
func pair32(op pairOp, dst, a, b []float32, s float32) bool {
	if currentLevel() == generic {
		return false
	}
	n := len(dst)
	if n == 0 {
		return true
	}
	args := streamArgs{dst: ptr(dst, 0), a: ptr(a[:n], 0), n: n, table: unsafe.Pointer(&laneTable), s: s}
	if b != nil {
		args.b = ptr(b[:n], 0)
	}
	runPair(op, &args)
	return true
}

// transposeArgs are the arguments of the transposition of eight rows of dst.
type transposeArgs struct {
	dst       unsafe.Pointer
	dstStride int // bytes
	src       unsafe.Pointer
	srcStride int // bytes
	blocks    int // blocks of eight columns of dst, at least one
}

// transpose32 transposes rows and columns of dst up to multiples of eight, and returns how many rows and columns these
// are.
func transpose32(dst []float32, dstStride int, src []float32, srcStride, rows, cols int) (int, int) {
	rows, cols = rows&^7, cols&^7
	if currentLevel() == generic || rows == 0 || cols == 0 {
		return 0, 0
	}
	_ = dst[(rows-1)*dstStride+cols-1]
	_ = src[(cols-1)*srcStride+rows-1]
	for i := 0; i < rows; i += 8 {
		args := transposeArgs{ptr(dst, i*dstStride), 4 * dstStride, ptr(src, i), 4 * srcStride, cols / 8}
		transposeEight(&args)
	}
	return rows, cols
}

// expArgs are the arguments of the kernel of exponentials.
type expArgs struct {
	dst, src     unsafe.Pointer
	n            int
	max, _       float32
	sum, _       float32
	table, lanes unsafe.Pointer
}

// expTable holds the constants of the exponential, eight times each: the smallest argument whose exponential is a
// normal number, log2 e, ln 2 in two parts (the first has so few bits that its products are exact), and the
// coefficients of the Taylor polynomial.
var expTable = func() (t [12][8]float32) {
	high := math.Float64frombits(math.Float64bits(math.Ln2) &^ (1<<38 - 1)) // 15 bits
	c := []float64{-86.6, math.Log2E, high, math.Ln2 - high, 1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, 1. / 2, 1,
		1}
	for i := range t {
		for j := range t[i] {
			t[i][j] = float32(c[i])
		}
	}
	return t
}()

// expSum32 computes dst = exp(src - m) and the sum of dst. It returns false where no vector code does.
func expSum32(dst, src []float32, m float32) (sum float32, ok bool) {
	if currentLevel() == generic || len(src) == 0 {
		return 0, false
	}
	args := expArgs{dst: ptr(dst[:len(src)], 0), src: ptr(src, 0), n: len(src), max: m,
		table: unsafe.Pointer(&expTable), lanes: unsafe.Pointer(&laneTable)}
	expSumOf(&args)
	return args.sum, true
}

// extremeArgs are the arguments of the kernel of maxima.
type extremeArgs struct {
	src      unsafe.Pointer
	n        int // at least 1
	lanes    unsafe.Pointer
	sign, _  uint32 // bits to flip in every element, and to flip back in the result
	least, _ float32
	out, _   float32
}

// extreme32 returns the largest element, or the smallest, and NaN if there is one. It returns false where no vector
// code does.
func extreme32(src []float32, smallest bool) (float32, bool) {
	if currentLevel() == generic || len(src) == 0 {
		return 0, false
	}
	args := extremeArgs{src: ptr(src, 0), n: len(src), lanes: unsafe.Pointer(&laneTable), least: float32(math.Inf(-1))}
	if smallest {
		args.sign = 1 << 31
	}
	extremeOf(&args)
	return args.out, true
}
