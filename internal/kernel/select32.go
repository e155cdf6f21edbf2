//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// selectArgs are the arguments of the select kernels.
type selectArgs struct {
	dst, on, off, bits unsafe.Pointer
	n                  int // number of elements, a positive multiple of sixteen
	table              unsafe.Pointer
}

// byteTable holds, for each byte, a mask of the lanes that its bits select.
var byteTable = func() (t [256][8]int32) {
	for b := range t {
		for i := range t[b] {
			t[b][i] = -int32(b >> i & 1)
		}
	}
	return t
}()

// select32 selects as many elements as fit whole vectors, and returns their number.
func select32(dst, on, off []float32, bits []uint64) int {
	l, n := currentLevel(), len(dst)&^15
	if l == generic || n == 0 {
		return 0
	}
	a := selectArgs{ptr(dst, 0), ptr(on, 0), ptr(off, 0), unsafe.Pointer(unsafe.SliceData(bits)), n,
		unsafe.Pointer(&byteTable)}
	selectBits(l, &a)
	return n
}
