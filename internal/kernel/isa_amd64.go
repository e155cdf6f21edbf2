//go:build amd64 && !noasm

package kernel

import "unsafe"

// This file chooses between the kernels of AVX-512 and of AVX2, for code that is the same for all instruction sets.

// tileShape returns the number of lanes of a vector, and the most rows of a register tile, which is two vectors wide.
func (l level) tileShape() (lanes, rows int) {
	if l == avx512 {
		return 16, 12
	}
	return 8, 6
}

// dotsShape returns the most rows and columns of a tile of dot products.
func (l level) dotsShape() (rows, cols int) {
	if l == avx512 {
		return 6, 4
	}
	return 3, 2
}

func dotsTile(l level, rows, cols int, d *dotsArgs) {
	if l == avx512 {
		dotsAVX512(rows, cols, d)
	} else {
		dotsAVX2(rows, cols, d)
	}
}

// packsAhead says that there are tiles that also pack the next panel.
const packsAhead = true

// tile runs a register tile.
func (p *plan) tile(rows, vecs int, t *tileArgs) {
	switch {
	case p.level == avx2 && t.packDst != nil:
		tileAVX2k(rows, t)
		t.packDst = nil
	case p.level == avx2:
		tileAVX2(rows, vecs, t)
	case t.packDst != nil:
		tileAVX512k(rows, t)
		t.packDst = nil
	case p.half:
		tileAVX512h(rows, vecs, t)
	case p.panel:
		panelTile(p.level, rows, vecs, t, false)
	default:
		tileAVX512(rows, vecs, t)
	}
}

// panelTiles runs n tiles of so many rows each, one below the other, on a panel; their weights follow each other. It
// changes t. See panelTile.
func panelTiles(l level, rows, n, vecs int, t *tileArgs, weights bool) {
	if l == avx512 {
		t.more, t.nextA = n-1, 4*rows*t.k
		panelTile(l, rows, vecs, t, weights)
		t.more = 0
		return
	}
	for ; n > 1; n-- {
		panelTile(l, rows, vecs, t, weights)
		t.below(rows)
	}
	panelTile(l, rows, vecs, t, weights)
}

// panelTile runs a tile on a panel two vectors wide, whose rows are contiguous. With weights it prefetches the weights
// of the next tile, which has as many rows and follows in memory.
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

// rightTile runs a tile on a panel of a right-hand side.
func rightTile(l level, rows, vecs int, t *tileArgs) {
	if l == avx512 {
		tileAVX512(rows, vecs, t)
	} else {
		tileAVX2(rows, vecs, t)
	}
}

// rightTiles runs n tiles two vectors wide, side by side. It leaves the pointers of t at the last one.
func rightTiles(l level, rows, n int, t *tileArgs) {
	if l == avx512 {
		t.more = n - 1
		tileAVX512(rows, 2, t)
		t.more = 0
		return
	}
	for ; n > 1; n-- {
		tileAVX2(rows, 2, t)
		t.right(64)
	}
	tileAVX2(rows, 2, t)
}

// right moves the arguments of a tile by so many bytes to the right.
func (t *tileArgs) right(step int) {
	t.b, t.c = unsafe.Add(t.b, step), unsafe.Add(t.c, step)
	if t.res != nil {
		t.res = unsafe.Add(t.res, step)
	}
}

// tileMask returns the mask for the first cols columns of a tile.
func tileMask(l level, cols int) uintptr {
	if l == avx512 {
		return 1<<cols - 1
	}
	return laneWindow(cols)
}

func gatherPanel(a *gatherArgs) { gatherAVX2(a) }

func packPanel(l level, a *panelArgs) {
	if l == avx512 {
		panelAVX512(a)
	} else {
		panelAVX2(a)
	}
}

func copyRows(l level, step int, a *rowsArgs) {
	if a.valid <= 8 {
		l = avx2
	}
	switch {
	case l == avx512 && step == 1:
		rowsAVX512(a)
	case l == avx512:
		rowsStep2AVX512(a)
	case step == 1:
		rowsAVX2(a)
	default:
		rowsStep2AVX2(a)
	}
}

func gateRows(l level, a *gateArgs) {
	if l == avx512 {
		gateAVX512(a)
	} else {
		gateAVX2(a)
	}
}

func runStream(l level, op streamOp, a *streamArgs) {
	if l == avx512 {
		streamAVX512(op, a)
	} else {
		streamAVX2(op, a)
	}
}

func runPair(op pairOp, a *streamArgs) {
	switch op {
	case opSub:
		subAVX2(a)
	case opDiv:
		divAVX2(a)
	case opDivBy:
		divByAVX2(a)
	case opOver:
		overAVX2(a)
	case opSmaller:
		smallerAVX2(a)
	}
}

func transposeEight(a *transposeArgs) { transpose8AVX2(a) }

func expSumOf(a *expArgs) { expSumAVX2(a) }

func extremeOf(a *extremeArgs) { extremeAVX2(a) }

func braidColumns(a *braidArgs) { braidAVX2(a) }

func runMoment(l level, kind momentKind, a *momentArgs) {
	switch {
	case kind == momentSum && l == avx512:
		sum64AVX512(a)
	case kind == momentSum:
		sum64AVX2(a)
	case kind == momentSquare && l == avx512:
		square64AVX512(a)
	case kind == momentSquare:
		square64AVX2(a)
	case l == avx512:
		grad64AVX512(a)
	default:
		grad64AVX2(a)
	}
}

// pool2Shape returns the level whose kernel averages rows of so many windows, and the number of its lanes.
func pool2Shape(cols int) (level, int) {
	switch l := currentLevel(); {
	case l == avx512 && cols >= 16:
		return l, 16
	case l == generic:
		return l, 8
	}
	return avx2, 8
}

func pool2(l level, a *pool2Args) {
	a.table = unsafe.Pointer(&winoTable)
	if l == avx512 {
		pool2AVX512(a)
	} else {
		pool2AVX2(a)
	}
}

func selectBits(l level, a *selectArgs) {
	if l == avx512 {
		selectAVX512(a)
	} else {
		selectAVX2(a)
	}
}

func unaryOf(kind UnaryKind, a *unaryArgs) bool { return unaryAVX2(kind, a) }

func slopeOf(kind UnaryKind, a *unaryArgs) bool { return slopeAVX2(kind, a) }

// threeTaps says that there are kernels of depthTaps for 3x3.
const threeTaps = false

// tapsLanes returns the lanes of the kernels of depthTaps for rows of so many outputs. The AVX-512 kernels are for rows
// that do not fit into one AVX2 vector.
func tapsLanes(l level, cols int) int {
	if l == avx512 && cols > 8 {
		return 16
	}
	return 8
}

// kernel calls the kernel for the geometry.
func (d *depthTaps) kernel(a *depthTapsArgs) {
	five, wide := d.g.KH == 5, d.lanes == 16
	switch {
	case d.g.SH == 1 && five && wide:
		depthTapsAVX512_5_0(a)
	case d.g.SH == 1 && five:
		depthTapsAVX2_5_0(a)
	case d.g.SH == 1 && wide:
		depthTapsAVX512_7_0(a)
	case d.g.SH == 1:
		depthTapsAVX2_7_0(a)
	case five && wide:
		depthTapsAVX512_3_2(a)
	case five:
		depthTapsAVX2_3_2(a)
	case wide:
		depthTapsAVX512_4_3(a)
	default:
		depthTapsAVX2_4_3(a)
	}
}

// laneWindow returns the address in laneTable of n ones followed by zeros.
func laneWindow(n int) uintptr { return uintptr(unsafe.Pointer(&laneTable[16-n])) }

func doubleTile(rows int, a *panelTileArgs) { doubleAVX2(rows, a) }

func shortTile(rows int, a *panelTileArgs) { shortAVX2(rows, a) }

func notBelow(a *notBelowArgs) { notBelowAVX2(a) }

func rotate(a *rotateArgs) { rotateAVX2(a) }
