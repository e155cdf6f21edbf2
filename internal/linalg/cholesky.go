package linalg

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/kernel"
)

// ErrNotPositive is the error for a matrix that has no Cholesky factor.
var ErrNotPositive = errors.New("the matrix is not positive definite")

// choleskyBlock is the number of columns that are factored together.
const choleskyBlock = 96

// Cholesky is the lower triangular factor L of a matrix a = L Lᵀ.
type Cholesky struct {
	n int
	l []float64 // [n, n]; elements above the diagonal are undefined
	// inverses holds the inverse of each diagonal block, [block, block].
	inverses [][]float64
}

// NewCholesky factors the symmetric matrix a [n, n], of which it reads the lower triangle. It keeps a and overwrites
// it. For a matrix that is not positive definite the error is [ErrNotPositive].
func NewCholesky(ctx context.Context, a []float64, n, workers int) (*Cholesky, error) {
	if len(a) != n*n {
		return nil, fmt.Errorf("linalg: Cholesky: expected a matrix [%d, %d], got %d elements", n, n, len(a))
	}
	c := &Cholesky{n: n, l: a}
	temporary := make([]float64, n*min(n, choleskyBlock))
	for from := 0; from < n; from += choleskyBlock {
		to := min(from+choleskyBlock, n)
		width, rows := to-from, n-from
		if from > 0 {
			part := temporary[:rows*width]
			if err := multiplyBlocks(ctx, part, width, width, a[from*n:], n, rows, c.panelsOf(from, to), false,
				workers); err != nil {
				return nil, err
			}
			for i := range rows {
				row := a[(from+i)*n+from:][:width]
				for j, v := range part[i*width:][:width] {
					row[j] -= v
				}
			}
		}
		if !c.factorBlock(from, to) {
			return nil, fmt.Errorf("linalg: Cholesky of [%d, %d]: %w", n, n, ErrNotPositive)
		}
		inverse := c.invertBlock(from, to)
		c.inverses = append(c.inverses, inverse)
		if rows -= width; rows == 0 {
			break
		}
		part := temporary[:rows*width]
		if err := multiplyBlocks(ctx, part, width, width, a[to*n+from:], n, rows,
			NewMatrix(inverse, width, width).right, false, workers); err != nil {
			return nil, err
		}
		for i := range rows {
			copy(a[(to+i)*n+from:][:width], part[i*width:])
		}
	}
	return c, ctx.Err()
}

// panelsOf packs the part of rows from..to-1 that is left of their diagonal block.
func (c *Cholesky) panelsOf(from, to int) *panels {
	p := newPanels(kernel.DoubleColumns, to-from, from)
	for k := range p.count {
		packPanel(p, k, c.l[from*c.n:], c.n, to-from)
	}
	return p
}

// factorBlock factors a diagonal block from which the products of all columns to its left have been subtracted. It
// returns false if the block is not positive definite.
func (c *Cholesky) factorBlock(from, to int) bool {
	for i := from; i < to; i++ {
		ri := c.l[i*c.n:]
		for j := from; j <= i; j++ {
			rj := c.l[j*c.n:]
			s := ri[j]
			for k := from; k < j; k++ {
				s -= float64(ri[k] * rj[k])
			}
			if i > j {
				ri[j] = s / rj[j]
				continue
			}
			if !(s > 0) || math.IsInf(s, 1) {
				return false
			}
			ri[i] = math.Sqrt(s)
		}
	}
	return true
}

// invertBlock returns the inverse of a factored diagonal block.
func (c *Cholesky) invertBlock(from, to int) []float64 {
	width := to - from
	inv := make([]float64, width*width)
	for j := range width {
		inv[j*width+j] = 1 / c.l[(from+j)*c.n+from+j]
		for i := j + 1; i < width; i++ {
			row, s := c.l[(from+i)*c.n+from:], 0.0
			for k := j; k < i; k++ {
				s -= float64(row[k] * inv[k*width+j])
			}
			inv[i*width+j] = s / row[i]
		}
	}
	return inv
}

// LogDiagonal returns Σ log L_ii, half the logarithm of the determinant.
func (c *Cholesky) LogDiagonal() float64 {
	total := 0.0
	for i := range c.n {
		total += math.Log(c.l[i*c.n+i])
	}
	return total
}

// Forward replaces each row b of the matrix [rows, n] by the solution x of L x = b.
func (c *Cholesky) Forward(ctx context.Context, b []float64, rows, workers int) error {
	if len(b) != rows*c.n {
		return fmt.Errorf("linalg: Cholesky: expected [%d, %d] right-hand sides, got %d elements", rows, c.n, len(b))
	}
	part := make([]float64, rows*min(c.n, choleskyBlock))
	for k, inverse := range c.inverses {
		from := k * choleskyBlock
		width := min(choleskyBlock, c.n-from)
		part := part[:rows*width]
		if from > 0 {
			if err := multiplyBlocks(ctx, part, width, width, b, c.n, rows, c.panelsOf(from, from+width), false,
				workers); err != nil {
				return err
			}
			for i := range rows {
				row := b[i*c.n+from:][:width]
				for j, v := range part[i*width:][:width] {
					row[j] -= v
				}
			}
		}
		if err := multiplyBlocks(ctx, part, width, width, b[from:], c.n, rows, NewMatrix(inverse, width, width).right,
			false, workers); err != nil {
			return err
		}
		for i := range rows {
			copy(b[i*c.n+from:][:width], part[i*width:])
		}
	}
	return ctx.Err()
}

// Solve replaces b [n] by the solution x of L Lᵀ x = b.
func (c *Cholesky) Solve(b []float64) {
	n := c.n
	for i := range n {
		row, s := c.l[i*n:][:i+1], b[i]
		for k, v := range row[:i] {
			s -= float64(v * b[k])
		}
		b[i] = s / row[i]
	}
	for i := n - 1; i >= 0; i-- {
		row := c.l[i*n:][:i+1]
		b[i] /= row[i]
		for k, v := range row[:i] {
			b[k] -= float64(v * b[i])
		}
	}
}

// Inverse returns the inverse of the factored matrix, [n, n].
func (c *Cholesky) Inverse(ctx context.Context, workers int) ([]float64, error) {
	v := make([]float64, c.n*c.n)
	for i := range c.n {
		v[i*c.n+i] = 1
	}
	if err := c.Forward(ctx, v, c.n, workers); err != nil {
		return nil, err
	}
	out := make([]float64, c.n*c.n)
	return out, MulTransposed(ctx, out, v, v, c.n, c.n, c.n, workers)
}
