//go:build amd64 && !noasm

package kernel

import "unsafe"

// panelOffsets are the byte offsets of the rows of a panel, for vectors of sixteen and of eight lanes.
var panelOffsets = func() (t [2][blockTaps]int32) {
	for i := range blockTaps {
		t[0][i], t[1][i] = int32(128*i), int32(64*i)
	}
	return t
}()

func gemmScratch(m, n, k int) int {
	kb := min(k, blockTaps)
	return m*kb + kb*32 + slackLanes
}

// gemm32 adds alpha·op(A)·op(B) to C. A block of A is packed into row tiles, then for each column tile a panel of B; each
// element is summed over k in ascending order.
func gemm32(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, scratch []float32) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	g := gemmPlan{level: l, lanes: 8, most: 6, off: &panelOffsets[1], m: m}
	if l == avx512 {
		g.lanes, g.most, g.off = 16, 12, &panelOffsets[0]
	}
	scratch = alignVector(scratch)
	kb := evenBlock(k, blockTaps)
	panel, packed := scratch[:kb*2*g.lanes], scratch[kb*2*g.lanes:]
	for p := 0; p < k; p += kb {
		kn := min(kb, k-p)
		g.packA(packed, transA, alpha, a, lda, p, kn)
		for j := 0; j < n; j += 2 * g.lanes {
			cols := min(2*g.lanes, n-j)
			if transB {
				packTransposed(panel, b[j*ldb+p:], ldb, kn, cols, 2*g.lanes)
			} else {
				packPanel(l, &panelArgs{
					dst: ptr(panel, 0), src: ptr(b, p*ldb+j), stride: 4 * ldb, k: kn, scale: unsafe.Pointer(&ones32),
					shift: unsafe.Pointer(&zeros32), floor: noFloor, cols: cols, table: unsafe.Pointer(&laneTable),
				})
			}
			g.column(packed, panel, c[j:], ldc, kn, cols)
		}
	}
	return true
}

type gemmPlan struct {
	level       level
	lanes, most int
	off         *[blockTaps]int32
	m           int
}

// tileRows returns the rows of the tile that starts at row i.
func (g *gemmPlan) tileRows(i int) int {
	left := g.m - i
	if left > g.most && left < 2*g.most {
		return (left + 1) / 2 // two tiles of nearly equal height
	}
	return min(left, g.most)
}

// packA packs rows [0, m), columns [p, p+kn) of alpha·op(A) as [row tile][k][rows of the tile].
func (g *gemmPlan) packA(dst []float32, transA bool, alpha float32, a []float32, lda, p, kn int) {
	for i := 0; i < g.m; {
		rows := g.tileRows(i)
		d := dst[i*kn:][:rows*kn]
		if transA {
			for q := range kn {
				for r, v := range a[(p+q)*lda+i:][:rows] {
					d[q*rows+r] = alpha * v
				}
			}
		} else {
			for r := range rows {
				for q, v := range a[(i+r)*lda+p:][:kn] {
					d[q*rows+r] = alpha * v
				}
			}
		}
		i += rows
	}
}

// packTransposed packs cols rows of b, k long, as the columns of a panel of the given width.
func packTransposed(panel, b []float32, ldb, k, cols, width int) {
	if cols < width {
		clear(panel[:k*width])
	}
	for j := range cols {
		for q, v := range b[j*ldb:][:k] {
			panel[q*width+j] = v
		}
	}
}

func (g *gemmPlan) column(packed, panel, c []float32, ldc, kn, cols int) {
	vecs := 2
	if cols <= g.lanes {
		vecs = 1
	}
	t := tileArgs{off: unsafe.Pointer(g.off), k: kn, b: ptr(panel, 0), b1: 4 * g.lanes, ldc: 4 * ldc, flags: tileResume}
	if cols < vecs*g.lanes {
		t.mask = tileMask(g.level, cols)
	}
	_ = c[(g.m-1)*ldc+cols-1]
	for i := 0; i < g.m; {
		rows := g.tileRows(i)
		t.a, t.c = ptr(packed, i*kn), ptr(c, i*ldc)
		if g.level == avx512 {
			tileAVX512(rows, vecs, &t)
		} else {
			tileAVX2(rows, vecs, &t)
		}
		i += rows
	}
}
