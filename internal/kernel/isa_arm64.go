//go:build arm64 && !noasm

package kernel

import "unsafe"

// This file names the kernels of NEON, for code that is the same for all instruction sets.

// tileShape returns the number of lanes of a vector, and the most rows of a register tile, which is two vectors wide.
func (l level) tileShape() (lanes, rows int) { return 4, tileRows }

const tileRows, tileColumns = 12, 8

// dotsShape returns the most rows and columns of a tile of dot products.
func (l level) dotsShape() (rows, cols int) { return 3, 2 }

func dotsTile(_ level, rows, cols int, d *dotsArgs) { dotsNEON(rows, cols, d) }

// packsAhead says that there are tiles that also pack the next panel.
const packsAhead = false

// tile runs a register tile.
func (p *plan) tile(rows, vecs int, t *tileArgs) { runTile(rows, vecs, t, p.panel) }

// panelTile runs a tile on a panel two vectors wide, whose rows are contiguous.
func panelTile(_ level, rows, vecs int, t *tileArgs, _ bool) { runTile(rows, vecs, t, true) }

// panelTiles runs n tiles of so many rows each, one below the other, on a panel; their weights follow each other. It
// changes t.
func panelTiles(_ level, rows, n, vecs int, t *tileArgs, _ bool) {
	for ; n > 1; n-- {
		runTile(rows, vecs, t, true)
		t.below(rows)
	}
	runTile(rows, vecs, t, true)
}

// rightTile runs a tile on a panel of a right-hand side.
func rightTile(_ level, rows, vecs int, t *tileArgs) { runTile(rows, vecs, t, true) }

// tileMask returns the mask for the first cols columns of a tile.
func tileMask(_ level, cols int) uintptr { return uintptr(cols) }

// runTile runs a tile of a panel or a view. The kernels compute all columns, so where only some are there, the outputs
// pass through a tile of their own.
func runTile(rows, vecs int, t *tileArgs, panel bool) {
	if t.mask == 0 {
		wholeTile(rows, vecs, t, panel)
		return
	}
	var sums, residual [tileRows * tileColumns]float32
	cols, whole := int(t.mask), *t
	whole.mask, whole.c, whole.ldc = 0, unsafe.Pointer(&sums), 4*tileColumns
	if t.flags&tileResume != 0 {
		tileIn(&sums, t.c, t.ldc, rows, cols)
	}
	if t.res != nil {
		tileIn(&residual, t.res, t.ldc, rows, cols)
		whole.res = unsafe.Pointer(&residual)
	}
	wholeTile(rows, vecs, &whole, panel)
	for i := range rows {
		copy(unsafe.Slice((*float32)(unsafe.Add(t.c, i*t.ldc)), cols), sums[i*tileColumns:])
	}
}

// tileIn copies cols columns of rows that are ld bytes apart.
func tileIn(tile *[tileRows * tileColumns]float32, from unsafe.Pointer, ld, rows, cols int) {
	for i := range rows {
		copy(tile[i*tileColumns:], unsafe.Slice((*float32)(unsafe.Add(from, i*ld)), cols))
	}
}

func wholeTile(rows, vecs int, t *tileArgs, panel bool) {
	if panel {
		tilePanelNEON(rows, vecs, t)
	} else {
		tileNEON(rows, vecs, t)
	}
}

// gatherPanel is for instruction sets with few registers, whose tiles share elements of views.
func gatherPanel(*gatherArgs) { panic("kernel: no such kernel") }

func packPanel(_ level, a *panelArgs) { panelNEON(a) }

func copyRows(_ level, step int, a *rowsArgs) {
	if step == 1 {
		rowsNEON(a)
	} else {
		rowsStep2NEON(a)
	}
}

func gateRows(_ level, a *gateArgs) { gateNEON(a) }

func runStream(_ level, op streamOp, a *streamArgs) { streamNEON(op, a) }

func runPair(op pairOp, a *streamArgs) { pairNEON(op, a) }

func transposeEight(a *transposeArgs) { transpose8NEON(a) }

func expSumOf(a *expArgs) { expSumNEON(a) }

func extremeOf(a *extremeArgs) { extremeNEON(a) }

func braidColumns(a *braidArgs) { braidNEON(a) }

func runMoment(_ level, kind momentKind, a *momentArgs) {
	switch kind {
	case momentSum:
		sum64NEON(a)
	case momentSquare:
		square64NEON(a)
	default:
		grad64NEON(a)
	}
}

// pool2Shape returns the level whose kernel averages rows of so many windows, and the number of its lanes.
func pool2Shape(int) (level, int) { return currentLevel(), 4 }

func pool2(_ level, a *pool2Args) { pool2NEON(a) }

func selectBits(_ level, a *selectArgs) { selectNEON(a) }

func unaryOf(kind UnaryKind, a *unaryArgs) bool { return unaryNEON(kind, a) }

func slopeOf(kind UnaryKind, a *unaryArgs) bool { return slopeNEON(kind, a) }

// threeTaps says that there are kernels of depthTaps for 3x3.
const threeTaps = true

// tapsLanes returns the lanes of the kernels of depthTaps.
func tapsLanes(level, int) int { return 4 }

// kernel calls the kernel for the geometry.
func (d *depthTaps) kernel(a *depthTapsArgs) {
	switch [2]int{d.g.KH, d.g.SH} {
	case [2]int{3, 1}:
		depthTapsNEON_3_0(a)
	case [2]int{5, 1}:
		depthTapsNEON_5_0(a)
	case [2]int{7, 1}:
		depthTapsNEON_7_0(a)
	case [2]int{3, 2}:
		depthTapsNEON_2_1(a)
	case [2]int{5, 2}:
		depthTapsNEON_3_2(a)
	default:
		depthTapsNEON_4_3(a)
	}
}

func doubleTile(rows int, a *panelTileArgs) { doubleNEON(rows, a) }

func shortTile(rows int, a *panelTileArgs) { shortNEON(rows, a) }

func notBelow(a *notBelowArgs) { notBelowNEON(a) }

func rotate(a *rotateArgs) { rotateNEON(a) }

// thinOf is 0, since NEON has no thin tiles.
func thinOf(level, int) int { return 0 }

func thinRun([]int) int { panic("kernel: no such tile") }

func thinTile(int, int, int, *tileArgs) { panic("kernel: no such tile") }
