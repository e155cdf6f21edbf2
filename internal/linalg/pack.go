package linalg

import "github.com/line-ood/goline/internal/kernel"

const (
	terms = 256 // largest number of terms multiplied at a time, so that a right panel of them stays in L1
	// rows of the left-hand side multiplied with a right panel before the next panel, so that they stay in L2
	leftRows = 96
)

// number is the type of elements of a matrix; products convert them to float64.
type number interface{ float32 | float64 }

// packRows writes n elements of each of high rows of src, ld apart, to dst [n, width], so that the elements of one
// column are adjacent. Places without a row get zeros.
func packRows[T number](dst []float64, width int, src []T, ld, high, n int) {
	if width == 8 && high == 8 {
		packEight(dst, src, ld, n)
		return
	}
	for i := range width {
		if i >= high {
			for l := range n {
				dst[l*width+i] = 0
			}
			continue
		}
		at := i
		for _, v := range src[i*ld:][:n] {
			dst[at] = float64(v)
			at += width
		}
	}
}

// packEight is packRows for exactly eight rows.
func packEight[T number](dst []float64, src []T, ld, n int) {
	r0, r1, r2, r3 := src[:n], src[ld:][:n], src[2*ld:][:n], src[3*ld:][:n]
	r4, r5, r6, r7 := src[4*ld:][:n], src[5*ld:][:n], src[6*ld:][:n], src[7*ld:][:n]
	for l := range r0 {
		to := dst[8*l:][:8]
		to[0], to[1], to[2], to[3] = float64(r0[l]), float64(r1[l]), float64(r2[l]), float64(r3[l])
		to[4], to[5], to[6], to[7] = float64(r4[l]), float64(r5[l]), float64(r6[l]), float64(r7[l])
	}
}

// panels holds a matrix packed for products: [block of terms][panel][term][width].
type panels struct {
	width, count, n int // width of a panel, number of panels, number of terms
	data            []float64
}

func (p *panels) at(panel, first int) []float64 {
	high := min(terms, p.n-first)
	return p.data[first*p.count*p.width+panel*high*p.width:][:high*p.width]
}

func newPanels(width, rows, n int) *panels {
	count := ceilDiv(rows, width)
	return &panels{width: width, count: count, n: n, data: make([]float64, count*width*n)}
}

// packPanel packs one panel, with all its blocks of terms: rows of src [rows, n], ld apart, from the panel's first
// row on.
func packPanel[T number](p *panels, panel int, src []T, ld, rows int) {
	row := panel * p.width
	for first := 0; first < p.n; first += terms {
		high := min(terms, p.n-first)
		packRows(p.at(panel, first), p.width, src[row*ld+first:], ld, min(p.width, rows-row), high)
	}
}

// multiply adds the products of a packed left-hand side of rows rows with panels panel0 to panel1-1 of a right-hand
// side to dst, one block of terms after another. The rows of dst are ld apart, and its first column is that of the
// first panel; cols is the number of columns that exist. Unless resume is set, the first block overwrites dst. tile
// is scratch memory for one tile.
func multiply(dst []float64, ld int, left *panels, rows int, right *panels, panel0, panel1, cols int, resume bool,
	tile []float64) {
	for first := 0; first < left.n; first += terms {
		high := min(terms, left.n-first)
		for p := panel0; p < panel1; p++ {
			j := (p - panel0) * kernel.DoubleColumns
			b := right.at(p, first)
			for i := 0; i < rows; i += kernel.PanelRows {
				m := min(kernel.PanelRows, rows-i)
				a := left.at(i/kernel.PanelRows, first)
				product(dst[i*ld+j:], ld, a, b, m, min(kernel.DoubleColumns, cols-j), high, resume || first > 0, tile)
			}
		}
	}
}

// product is kernel.DoublePanel for a left panel of width PanelRows, where fewer than all rows and columns of the
// tile may exist.
func product(dst []float64, ld int, a, b []float64, rows, cols, n int, resume bool, tile []float64) {
	if rows == kernel.PanelRows && cols == kernel.DoubleColumns {
		kernel.DoublePanel(dst, ld, a, b, rows, n, resume)
		return
	}
	const width = kernel.DoubleColumns
	if resume {
		for i := range rows {
			copy(tile[i*width:][:cols], dst[i*ld:])
		}
	}
	kernel.DoublePanel(tile, width, a, b, kernel.PanelRows, n, resume)
	for i := range rows {
		copy(dst[i*ld:][:cols], tile[i*width:])
	}
}

// newTile returns working memory for one tile.
func newTile() []float64 { return make([]float64, kernel.PanelRows*kernel.DoubleColumns) }
