package kernel

// Moving is the geometry of [Move]: a matrix of Rows × Cols elements, with its strides in the source (RowSrc, ColSrc)
// and in the destination (RowDst, ColDst). Strides in the source may be zero or negative.
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

// transpose copies dst[i*dstStride + j] = src[j*srcStride + i] for i < rows and j < cols, in blocks of columns whose
// source stays in the cache.
func transpose[T Float](dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	const block = 64
	for j := 0; j < cols; j += block {
		n := min(block, cols-j)
		transposeBlock(dst[j:], dstStride, src[j*srcStride:], srcStride, rows, n)
	}
}

func transposeBlock[T Float](dst []T, dstStride int, src []T, srcStride, rows, cols int) {
	doneRows, doneCols := 0, 0
	if is32[T]() {
		doneRows, doneCols = transpose32(as32(dst), dstStride, as32(src), srcStride, rows, cols)
	}
	for i := range rows {
		from := 0
		if i < doneRows {
			from = doneCols
		}
		row := dst[i*dstStride:][from:cols]
		at := from*srcStride + i
		for j := range row {
			row[j] = src[at]
			at += srcStride
		}
	}
}
