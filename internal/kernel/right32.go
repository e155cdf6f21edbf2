//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// right32 holds a right-hand side as [block of k][tile of columns][k][two vectors]. These are the panels into which a
// pointwise convolution packs its input; the rows of the left-hand side take the place of that convolution's weights.
type right32 struct {
	k, n    int
	level   level
	lanes   int // lanes of a vector
	most    int // the most rows of a tile
	block   int // number of terms k in a block
	data    []float32
	offsets []int32 // offset in a panel of each k of a block, in bytes
}

const (
	rightTerms = 256 // the most terms of a block: its panel stays in the L1 cache
	rightRows  = 96  // the most rows of the left-hand side packed together: they stay in the L2 cache
)

// newRight32 returns a right-hand side of zeros, nil where the generic code is to run.
func newRight32(k, n int) *right32 {
	r := &right32{k: k, n: n, level: currentLevel()}
	if r.level == generic {
		return nil
	}
	r.lanes, r.most = r.level.tileShape()
	if k == 0 || n == 0 {
		return r
	}
	r.block = evenBlock(k, rightTerms)
	r.data = alignVector(Memory[float32](k*r.columns() + slackLanes))
	for l := range r.block {
		r.offsets = append(r.offsets, int32(4*l*r.width()))
	}
	return r
}

// width returns the number of columns of a panel, columns that of all panels.
func (r *right32) width() int   { return 2 * r.lanes }
func (r *right32) columns() int { return (r.n + r.width() - 1) / r.width() * r.width() }

func (r *right32) pack(b []float32, transposed bool) {
	width := r.width()
	out := r.data
	for k0 := 0; k0 < r.k; k0 += r.block {
		terms := min(r.block, r.k-k0)
		for j := 0; j < r.n; j += width {
			cols := min(width, r.n-j)
			if !transposed {
				copyPanel(r.level, out, b[k0*r.n+j:], r.n, terms, cols, width)
			} else {
				// Lanes without a column repeat the last column of their eight. Their results are never read.
				for c := 0; c < cols; c += 8 {
					braidEight(out[c:], width, b[(j+c)*r.k+k0:], r.k, terms, min(8, cols-c))
				}
			}
			out = out[terms*width:]
		}
	}
}

// copyPanel copies rows of cols columns. Rows are ldb elements apart in src and width elements apart in dst.
func copyPanel(l level, dst, src []float32, ldb, rows, cols, width int) {
	_ = src[(rows-1)*ldb+cols-1]
	for at := 0; at < rows; at += len(panelOnes) {
		n := min(len(panelOnes), rows-at)
		packPanel(l, &panelArgs{
			dst: ptr(dst, at*width), src: ptr(src, at*ldb), stride: 4 * ldb, k: n, cols: cols,
			scale: unsafe.Pointer(&panelOnes), shift: unsafe.Pointer(&panelZeros), floor: noFloor,
			table: unsafe.Pointer(&laneTable),
		})
	}
}

// panelOnes and panelZeros are the scales and shifts of panels that are copied as they are.
var panelOnes, panelZeros = func() (ones, zeros [64]float32) {
	for i := range ones {
		ones[i] = 1
	}
	return ones, zeros
}()

// rowsTogether returns the number of rows to pack at a time, of m in all.
func (r *right32) rowsTogether(m int) int { return evenBlock(m, rightRows) }

func (r *right32) scratchLen(m int) int { return r.rowsTogether(max(m, 1))*r.block + 2*slackLanes }

func (r *right32) mul(dst, a []float32, m int, transposed, accumulate bool, scratch []float32) {
	r.columnsOf(span{0, r.n}, dst, a, m, transposed, accumulate, scratch)
}

// mulPart computes part of the columns.
func (r *right32) mulPart(dst, a []float32, m int, accumulate bool, scratch []float32, part, parts int) {
	if s := portion(r.n, r.width(), part, parts); s.len() > 0 {
		r.columnsOf(s, dst, a, m, false, accumulate, scratch)
	}
}

// columnsOf computes some columns, from and, but for the last, to the start of a panel.
func (r *right32) columnsOf(columns span, dst, a []float32, m int, transposed, accumulate bool, scratch []float32) {
	scratch = alignVector(scratch)
	together := r.rowsTogether(m)
	t := tileArgs{b1: 4 * r.lanes, ldc: 4 * r.n, off: unsafe.Pointer(&r.offsets[0])}
	for m0 := 0; m0 < m; m0 += together {
		rows := min(together, m-m0)
		tiles := rowTiles{rows: rows, n: (rows + r.most - 1) / r.most}
		for k0 := 0; k0 < r.k; k0 += r.block {
			terms := min(r.block, r.k-k0)
			for i := range tiles.n {
				row, high := tiles.at(i)
				out := scratch[row*terms:]
				if transposed {
					leftTransposed(out, high, a[k0*m+m0+row:], m, terms)
				} else {
					braid(out, high, a[(m0+row)*r.k+k0:], r.k, terms)
				}
			}
			t.k, t.flags = terms, 0
			if accumulate || k0 > 0 {
				t.flags = tileResume
			}
			r.panels(&t, dst[m0*r.n:], scratch, r.data[k0*r.columns():], tiles, columns)
		}
	}
}

// rightAhead is the distance in bytes at which the first tile of rows prefetches a panel: a tile of few rows takes less
// time than memory does, and the processor's own prefetching ends at each page.
const rightAhead = 1536

// panels adds one block of the terms to some rows of dst, one panel after the other.
func (r *right32) panels(t *tileArgs, dst, left, panels []float32, tiles rowTiles, columns span) {
	width := r.width()
	for j := columns.lo; j < columns.hi; j += width {
		cols, vecs := min(width, r.n-j), 2
		if cols <= r.lanes {
			vecs = 1
		}
		t.mask = 0
		if cols < vecs*r.lanes {
			t.mask = tileMask(r.level, cols)
		}
		t.b = ptr(panels, j*t.k)
		for i := range tiles.n {
			row, high := tiles.at(i)
			t.a, t.c, t.ahead = ptr(left, row*t.k), ptr(dst, row*r.n+j), 0
			if i == 0 {
				t.ahead = rightAhead
			}
			rightTile(r.level, high, vecs, t)
		}
	}
}

// rowTiles is a division of rows into n tiles of nearly equal height, higher tiles first.
type rowTiles struct{ rows, n int }

// at returns the first row and the height of a tile.
func (t rowTiles) at(i int) (row, high int) {
	high, more := t.rows/t.n, t.rows%t.n
	row = i*high + min(i, more)
	if i < more {
		high++
	}
	return row, high
}

// leftTransposed packs rows of a transposed left-hand side: dst[l*rows+i] = src[l*lda+i].
func leftTransposed(dst []float32, rows int, src []float32, lda, n int) {
	for l := range n {
		copy(dst[l*rows:][:rows], src[l*lda:])
	}
}
