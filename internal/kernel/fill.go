//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// panelArgs are the arguments of the kernels that pack a panel.
type panelArgs struct {
	dst    unsafe.Pointer // [k][two vectors]
	src    unsafe.Pointer
	stride int // bytes from channel to channel of src
	k      int // at least 1
	scale  unsafe.Pointer
	shift  unsafe.Pointer
	floor  float32 // zero for a ReLU, -Inf for none
	_      uint32
	cols   int // columns to read, at least 1; from two vectors on, two full vectors
	table  unsafe.Pointer
}

// gatherArgs are the arguments of the kernel that copies elements of views to a panel.
type gatherArgs struct {
	dst unsafe.Pointer // [k][two vectors]
	b   unsafe.Pointer
	b1  int            // bytes from the first vector to the second
	off unsafe.Pointer // int32 byte offset from b for each k
	k   int            // at least 1
}

// rowsArgs are the arguments of the kernels that copy rows.
type rowsArgs struct {
	dst        unsafe.Pointer
	dstStride  int // bytes from row to row
	src        unsafe.Pointer
	srcStride  int // bytes from row to row
	rows       int // at least 1
	valid      int // columns to write per row, at least 1
	gap        int // zeros to write after each row
	scale      unsafe.Pointer
	shift      unsafe.Pointer
	floor      float32
	_          uint32
	table      unsafe.Pointer
	channels   int // at least 1
	dstChannel int // bytes from channel to channel
	srcChannel int // bytes from channel to channel
	lead       int // zeros to write before the first row
	trail      int // zeros to write behind the last row
}

// laneTable holds sixteen words of ones followed by sixteen zeros, parts of which are load masks, and then the indices
// of the even lanes of a pair of vectors.
var laneTable = func() (t [48]int32) {
	for i := range 16 {
		t[i], t[32+i] = -1, int32(2*i)
	}
	return t
}()
