//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// tileArgs are the arguments of a register tile: C[m][columns] = post(sum over k of A[k][m] * B[off[k]][columns]).
type tileArgs struct {
	a     unsafe.Pointer // packed weights, the tile's rows side by side for each k
	off   unsafe.Pointer // int32 offset in b of each k, in bytes
	k     int            // at least 1
	b     unsafe.Pointer
	b1    int // bytes from the first vector of columns to the second
	c     unsafe.Pointer
	ldc   int            // bytes from row to row of c and res
	bias  unsafe.Pointer // one for each row; may be nil
	res   unsafe.Pointer // added after the bias; may be nil
	flags int
	// Columns to load and store in c and res: for AVX-512 a bit for each, for AVX2 the address of a word for each, for
	// NEON their number; zero means all columns.
	mask uintptr
	h0   int // bytes to the upper half of both vectors, in tiles that gather halves
	h1   int
	// Bytes from b to the elements that the next tile reads, to be prefetched; 0 for panels, which are in cache. For
	// AVX-512's tiles of panels see panelTile and aheadStep.
	ahead int
	// The next panel, which the tiles of kind tilePacking also write; see panelArgs.
	packSrc    unsafe.Pointer
	packStride int
	packDst    unsafe.Pointer
	packScale  unsafe.Pointer
	packShift  unsafe.Pointer
	packFloor  float32
	ceil       float32 // upper bound of the outputs, with tileCeil
	// In AVX-512 tiles of panels, ahead is the address of the first cache line to prefetch, and aheadStep the number of
	// bytes from one to the next.
	aheadStep int
	// How many tiles AVX-512's tiles of panels compute below the first, and tiles of views to the right of it. They
	// change more and the pointers. nextA is the number of bytes from the weights of a tile to those of the one below.
	more  int
	nextA int
}

const (
	tileResume = 1 << iota // start from C instead of from zero
	tileReLU
	tileCeil // only with tileReLU
)

// below moves the arguments of a tile to the next one below.
func (t *tileArgs) below(rows int) {
	t.a, t.c = unsafe.Add(t.a, 4*rows*t.k), unsafe.Add(t.c, rows*t.ldc)
	if t.bias != nil {
		t.bias = unsafe.Add(t.bias, 4*rows)
	}
	if t.res != nil {
		t.res = unsafe.Add(t.res, rows*t.ldc)
	}
}

// equalRun returns how many tiles in front have as many rows as the first.
func equalRun(tiles []int) int {
	n := 1
	for n < len(tiles) && tiles[n] == tiles[0] {
		n++
	}
	return n
}
