package kernel

// Moving is the geometry of [Move]: a matrix of Rows × Cols elements with the strides that it has in the source and in the
// destination. Those of the source may be zero or negative.
type Moving struct {
	Rows, RowSrc, RowDst int
	Cols, ColSrc, ColDst int
}

// Fill sets every element of dst to v.
func Fill[T Float](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// Move copies a matrix from one arrangement to another: element (i, j) from src[from + i*RowSrc + j*ColSrc] to
// dst[to + i*RowDst + j*ColDst].
func Move[T Float](dst []T, to int, src []T, from int, m Moving) {
	switch {
	case m.ColDst == 1 && m.ColSrc == 1:
		for i := range m.Rows {
			copy(dst[to+i*m.RowDst:][:m.Cols], src[from+i*m.RowSrc:][:m.Cols])
		}
	case m.ColDst == 1 && m.ColSrc == 0:
		for i := range m.Rows {
			Fill(dst[to+i*m.RowDst:][:m.Cols], src[from+i*m.RowSrc])
		}
	case m.ColDst == 1 && m.RowSrc == 1 && m.ColSrc > 0 && m.Rows > 1:
		transpose(dst[to:], m.RowDst, src[from:], m.ColSrc, m.Rows, m.Cols)
	default:
		for i := range m.Rows {
			t, f := to+i*m.RowDst, from+i*m.RowSrc
			for range m.Cols {
				dst[t] = src[f]
				t, f = t+m.ColDst, f+m.ColSrc
			}
		}
	}
}

// transpose copies dst[i*dstStride + j] = src[j*srcStride + i] for i < rows, j < cols.
func transpose[T Float](dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	const block = 16
	for j0 := 0; j0 < cols; j0 += block {
		j1 := min(j0+block, cols)
		for i := range rows {
			row := dst[i*dstStride:][j0:j1]
			at := j0*srcStride + i
			for j := range row {
				row[j] = src[at]
				at += srcStride
			}
		}
	}
}
