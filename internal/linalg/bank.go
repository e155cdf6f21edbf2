package linalg

import (
	"context"
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/kernel"
	"github.com/line-ood/goline/internal/mathx"
)

// Bank is a set of rows with which queries are compared. It may be used by several goroutines at once.
//
// Besides the rows the bank holds approximations of them in 16-bit integers, whose products a processor sums faster
// than those of floating-point numbers. Results do not depend on the approximation: the integers only find, by a
// bound on their error (see codes), the rows that can be part of the result, and these rows are compared in float64.
type Bank struct {
	n, dim int
	rows   []float32 // [n, dim], the caller's
	pairs  int       // number of pairs of features; the last pair has a zero where dim is odd
	panels []int16   // [panel][pair][ShortColumns][2]
	codes  []codes   // [n]

	// Bounds for the float32 products of a chunk, in units in which the longest row has a length near one.
	unit  float64   // a power of two
	gain  []float32 // [panels*ShortColumns]
	half  []float32 // -‖x‖²/2, of the same shape
	zero  []float32 // zeros, of the same shape
	chunk []extent  // [chunks]
}

// extent holds the largest norm of the rows of a chunk, and the largest error of their codes.
type extent struct{ norm, off float64 }

// chunkPanels is the number of panels whose products are computed before they are examined.
const (
	chunkPanels  = 8
	chunkColumns = chunkPanels * kernel.ShortColumns
)

// NewBank returns a bank of rows [n, dim], which it keeps and does not copy. The bank needs 2 more bytes for each
// element. It is an error if there are no rows, if their length is not a multiple of dim, or if an element is not
// finite.
func NewBank(ctx context.Context, rows []float32, dim, workers int) (*Bank, error) {
	n, err := rowsOf("bank", rows, dim)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("linalg: bank: expected at least one row, got none")
	}
	b := &Bank{n: n, dim: dim, rows: rows, pairs: ceilDiv(dim, 2), codes: make([]codes, n)}
	panels := ceilDiv(n, kernel.ShortColumns)
	b.panels = make([]int16, panels*b.panelLen())
	err = forEach(ctx, panels, workers, func() func(int) {
		return func(p int) {
			for j := p * kernel.ShortColumns; j < min(n, (p+1)*kernel.ShortColumns); j++ {
				to := b.panels[p*b.panelLen()+2*(j%kernel.ShortColumns):]
				b.codes[j] = encode(to, 2*kernel.ShortColumns, rows[j*dim:][:dim])
			}
		}
	})
	if err != nil {
		return nil, err
	}
	b.measure(panels)
	return b, nil
}

// measure computes the values with which products are compared.
func (b *Bank) measure(panels int) {
	longest := 0.0
	for _, c := range b.codes {
		longest = max(longest, c.norm)
	}
	b.unit = 1
	if longest > 0 {
		_, exponent := math.Frexp(longest)
		b.unit = math.Ldexp(1, -exponent)
	}
	columns := panels * kernel.ShortColumns
	b.gain, b.half, b.zero = make([]float32, columns), make([]float32, columns), make([]float32, columns)
	b.chunk = make([]extent, ceilDiv(panels, chunkPanels))
	for j, c := range b.codes {
		b.gain[j] = float32(c.gain * b.unit)
		b.half[j] = float32(-0.5 * (c.norm * b.unit) * (c.norm * b.unit))
		e := &b.chunk[j/chunkColumns]
		e.norm, e.off = max(e.norm, c.norm), max(e.off, c.off)
	}
}

// Len returns the number of rows.
func (b *Bank) Len() int { return b.n }

// Dim returns the number of features.
func (b *Bank) Dim() int { return b.dim }

// panelLen returns the number of integers in a panel.
func (b *Bank) panelLen() int { return b.pairs * kernel.ShortColumns * 2 }

func (b *Bank) row(j int) []float32 { return b.rows[j*b.dim:][:b.dim] }

// rowsOf returns the number of rows of a matrix with dim columns.
func rowsOf(what string, rows []float32, dim int) (int, error) {
	if dim < 1 {
		return 0, fmt.Errorf("linalg: %s: expected at least one feature, got %d", what, dim)
	}
	if len(rows)%dim != 0 {
		return 0, fmt.Errorf("linalg: %s: expected rows of %d features, got %d elements", what, dim, len(rows))
	}
	if i := mathx.FirstNotFinite(rows); i >= 0 {
		return 0, fmt.Errorf("linalg: %s: expected finite features, got %v in row %d, feature %d", what, rows[i], i/dim,
			i%dim)
	}
	return len(rows) / dim, nil
}
