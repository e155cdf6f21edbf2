package linalg

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/internal/kernel"
)

// Scatter sums (x - c)(x - c)ᵀ over rows x, which are added in portions, each row with its own centre c.
type Scatter struct {
	dim int
	n   int
	sum []float64 // [dim, dim], valid in the tiles on and above the diagonal
}

const (
	scatterTerms = 2 * terms // number of rows of a portion that are packed at a time
	// features of the left-hand side multiplied with a right panel before the next; a multiple of PanelRows
	scatterLeft = 96
)

// NewScatter returns an empty sum, for rows of dim features.
func NewScatter(dim int) *Scatter { return &Scatter{dim: dim, sum: make([]float64, dim*dim)} }

// Add adds rows [n, dim]. centre returns the centre [dim] of a row, where rows are counted from the first of this
// call. It is called from several goroutines at once. A nil centre stands for zero. Each element of the sum gets its
// terms in the order of the rows, so that the result does not depend on portions or workers.
func (s *Scatter) Add(ctx context.Context, rows []float32, centre func(row int) []float64, workers int) error {
	n, err := rowsOf("scatter", rows, s.dim)
	if err != nil {
		return err
	}
	return s.AddRows(ctx, n, func(row int, x []float64) {
		for l, v := range rows[row*s.dim:][:s.dim] {
			x[l] = float64(v)
		}
		if centre != nil {
			for l, v := range centre(row)[:s.dim] {
				x[l] -= v
			}
		}
	}, workers)
}

// AddRows adds x xᵀ for n rows as Add does. row writes a row, already centred, to x [dim]. It is called from several
// goroutines at once.
func (s *Scatter) AddRows(ctx context.Context, n int, row func(row int, x []float64), workers int) error {
	left, right := newPanels(kernel.PanelRows, s.dim, scatterTerms), newPanels(kernel.DoubleColumns, s.dim,
		scatterTerms)
	for at := 0; at < n; at += scatterTerms {
		high := min(scatterTerms, n-at)
		left.n, right.n = high, high
		if err := s.pack(ctx, left, right, at, row, workers); err != nil {
			return err
		}
		if err := s.product(ctx, left, right, workers); err != nil {
			return err
		}
		s.n += high
	}
	return ctx.Err()
}

// pack packs rows for both sides of the product, from row at of a call of AddRows on.
func (s *Scatter) pack(ctx context.Context, left, right *panels, at int, row func(row int, x []float64),
	workers int) error {
	const few = 32 // number of rows of a task
	return forEach(ctx, ceilDiv(left.n, few), workers, func() func(int) {
		x := make([]float64, s.dim)
		return func(task int) {
			for i := task * few; i < min(left.n, (task+1)*few); i++ {
				row(at+i, x)
				left.setTerm(i, x)
				right.setTerm(i, x)
			}
		}
	})
}

// setTerm writes x as term i to all panels.
func (p *panels) setTerm(i int, x []float64) {
	first := i / terms * terms
	high := min(terms, p.n-first)
	to := p.data[first*p.count*p.width+(i-first)*p.width:]
	for j := 0; j < len(x); j += p.width {
		copy(to[:p.width], x[j:])
		to = to[min(high*p.width, len(to)):]
	}
}

// product adds the products of the packed rows to the sum.
func (s *Scatter) product(ctx context.Context, left, right *panels, workers int) error {
	const tiles = scatterLeft / kernel.PanelRows
	return forEach(ctx, ceilDiv(s.dim, scatterLeft), workers, func() func(int) {
		tile := newTile()
		return func(task int) {
			row := task * scatterLeft
			high := min(scatterLeft, s.dim-row)
			for first := 0; first < left.n; first += terms {
				n := min(terms, left.n-first)
				for p := row / kernel.DoubleColumns; p < right.count; p++ {
					j := p * kernel.DoubleColumns
					b := right.at(p, first)
					// Tiles below the diagonal are skipped.
					for t := 0; t < ceilDiv(high, kernel.PanelRows); t++ {
						i := row + t*kernel.PanelRows
						if j+kernel.DoubleColumns <= i {
							break
						}
						product(s.sum[i*s.dim+j:], s.dim, left.at(task*tiles+t, first), b,
							min(kernel.PanelRows, s.dim-i), min(kernel.DoubleColumns, s.dim-j), n, true, tile)
					}
				}
			}
		}
	})
}

// Len returns the number of rows that have been added.
func (s *Scatter) Len() int { return s.n }

// Matrix writes the sum [dim, dim], divided by divisor, to dst.
func (s *Scatter) Matrix(dst []float64, divisor float64) error {
	if len(dst) != len(s.sum) {
		return fmt.Errorf("linalg: scatter: expected room for [%d, %d], got %d elements", s.dim, s.dim, len(dst))
	}
	for i := range s.dim {
		for j := i; j < s.dim; j++ {
			v := s.sum[i*s.dim+j] / divisor
			dst[i*s.dim+j], dst[j*s.dim+i] = v, v
		}
	}
	return nil
}
