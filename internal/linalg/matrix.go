package linalg

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/internal/kernel"
)

// Matrix is a matrix [m, d] in a layout for multiplication with rows. It may be used by several goroutines at once.
type Matrix struct {
	m, d  int
	right *panels
}

// NewMatrix returns a copy of b [m, d]. It panics where b is shorter.
func NewMatrix[T float32 | float64](b []T, m, d int) *Matrix {
	b = b[:m*d]
	out := &Matrix{m: m, d: d, right: newPanels(kernel.DoubleColumns, m, d)}
	for p := range out.right.count {
		packPanel(out.right, p, b, d, m)
	}
	return out
}

// MulTransposed computes dst [n, m] = a bᵀ for a [n, d] and the matrix b: the inner product of each row of a with each
// row of b, with its d terms added in order.
func (b *Matrix) MulTransposed(ctx context.Context, dst, a []float64, n, workers int) error {
	if len(a) != n*b.d || len(dst) != n*b.m {
		return fmt.Errorf("linalg: product with a matrix [%d, %d]: expected [%d, %d] into [%d, %d], got %d elements "+
			"into %d", b.m, b.d, n, b.d, n, b.m, len(a), len(dst))
	}
	if n == 0 || b.m == 0 {
		return ctx.Err()
	}
	if b.d == 0 {
		clear(dst)
		return ctx.Err()
	}
	return multiplyBlocks(ctx, dst, b.m, b.m, a, b.d, n, b.right, false, workers)
}

// multiplyBlocks computes the product of a [n, terms], whose rows are lda apart, with a packed right-hand side, and
// writes it to dst [n, m], whose rows are ldd apart; with resume it adds it to dst.
func multiplyBlocks(ctx context.Context, dst []float64, ldd, m int, a []float64, lda, n int, right *panels, resume bool,
	workers int) error {
	size, blocks := blocksOf(n, leftRows, max(workers, 1))
	// with few rows the columns are divided among the workers
	segments := min(ceilDiv(max(workers, 1), blocks), right.count)
	return forEach(ctx, blocks*segments, workers, func() func(int) {
		left, tile := newPanels(kernel.PanelRows, size, right.n), newTile()
		return func(task int) {
			block, segment := task/segments, task%segments
			i, j := block*size, segment*right.count/segments
			rows := min(size, n-i)
			for p := range ceilDiv(rows, kernel.PanelRows) {
				packPanel(left, p, a[i*lda:], lda, rows)
			}
			col := j * kernel.DoubleColumns
			multiply(dst[i*ldd+col:], ldd, left, rows, right, j, (segment+1)*right.count/segments, m-col, resume, tile)
		}
	})
}

// blocksOf divides n rows into blocks of equal size, a multiple of PanelRows and at most about most. Their number is
// a multiple of workers where possible, so that all workers finish at the same time.
func blocksOf(n, most, workers int) (size, blocks int) {
	blocks = ceilDiv(ceilDiv(n, most), workers) * workers
	size = ceilDiv(ceilDiv(n, blocks), kernel.PanelRows) * kernel.PanelRows
	return size, ceilDiv(n, size)
}

// MulTransposed computes dst [n, m] = a bᵀ for a [n, d] and b [m, d], as (*Matrix).MulTransposed does.
func MulTransposed(ctx context.Context, dst, a, b []float64, n, m, d, workers int) error {
	if len(b) != m*d {
		return fmt.Errorf("linalg: product: expected a matrix [%d, %d], got %d elements", m, d, len(b))
	}
	return NewMatrix(b, m, d).MulTransposed(ctx, dst, a, n, workers)
}
