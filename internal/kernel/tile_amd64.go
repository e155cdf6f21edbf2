//go:build amd64 && !noasm

package kernel

import "unsafe"

// tileArgs are the arguments of a register tile: C[m][columns] = post(sum over k of A[k][m] * B[off[k]][columns]).
type tileArgs struct {
	a     unsafe.Pointer // packed weights, the tile's rows side by side for each k
	off   unsafe.Pointer // int32 byte offset into b for each k
	k     int            // at least 1
	b     unsafe.Pointer
	b1    int // bytes from the first vector of columns to the second
	c     unsafe.Pointer
	ldc   int            // bytes from row to row of c and res
	bias  unsafe.Pointer // one for each row, or nil
	res   unsafe.Pointer // added after the bias, or nil
	flags int
	// columns to load and store in c and res: AVX-512 a bit for each, AVX2 the address of a word for each; zero all
	mask uintptr
	h0   int // bytes to the upper half of the first and the second vector, in the tiles that gather halves
	h1   int
	// bytes from b to what the next tile reads, to be prefetched; 0 for panels, which are in cache; see panelTile and
	// aheadStep
	ahead int
	// The next panel, which the tiles that pack write on the side; see panelArgs.
	packSrc    unsafe.Pointer
	packStride int
	packDst    unsafe.Pointer
	packScale  unsafe.Pointer
	packShift  unsafe.Pointer
	packFloor  float32
	ceil       float32 // upper bound of the outputs with tileCeil
	// In the AVX-512 tiles of panels ahead is the address of the first line to prefetch and aheadStep the bytes from
	// one to the next.
	aheadStep int
}

// panelTile runs a tile of a panel two vectors wide, whose rows lie side by side; with weights it prefetches those of
// the next tile of as many rows, which lie behind its own.
func panelTile(l level, rows, vecs int, t *tileArgs, weights bool) {
	t.ahead, t.aheadStep = 0, 0
	switch {
	case l == avx2:
		if weights {
			t.ahead = int(uintptr(t.a)-uintptr(t.b)) + 4*rows*t.k
		}
		tileAVX2(rows, vecs, t)
		return
	case weights:
		t.ahead, t.aheadStep = int(uintptr(t.a))+4*rows*t.k, 4*rows
	default:
		t.ahead = int(uintptr(t.b))
	}
	tileAVX512p(rows, vecs, t)
}

const (
	tileResume = 1 << iota // start from C instead of zero
	tileReLU
	tileCeil // with tileReLU
)

// tileMask returns the mask for the first cols columns of a tile.
func tileMask(l level, cols int) uintptr {
	if l == avx512 {
		return 1<<cols - 1
	}
	return laneWindow(cols)
}
