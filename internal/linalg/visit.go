package linalg

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/internal/kernel"
)

// Pair is a bank [N, Dim] and queries [n, Dim] whose inner products are wanted.
type Pair struct {
	Bank, Queries []float32
	Dim           int
}

const (
	visitQueries = 192 // largest number of queries multiplied with a part of the bank before the next part
	visitRows    = 64  // number of rows of a part of the bank
)

// VisitInner calls visit with the inner products of every query with all rows of a bank, for some consecutive rows at
// a time. products[p][j] is <query, row first+j> of the p-th pair in float64, with terms added in order. All pairs
// must have the same number of queries and the same number of rows. The calls for one query come from one goroutine,
// with first ascending from 0; those for different queries come from up to workers goroutines at once. visit must not
// keep products after it returns.
func VisitInner(ctx context.Context, pairs []Pair, workers int,
	visit func(query, first int, products [][]float64)) error {
	n, rows, err := checkPairs(pairs)
	if err != nil || n == 0 || rows == 0 {
		return err
	}
	size, blocks := blocksOf(n, visitQueries, max(workers, 1))
	return forEach(ctx, blocks, workers, func() func(int) {
		tile, now := newTile(), make([][]float64, len(pairs))
		left, right, products := make([]*panels, len(pairs)), make([]*panels, len(pairs)), make([][]float64, len(pairs))
		for p, pair := range pairs {
			left[p], right[p] = newPanels(kernel.PanelRows, size, pair.Dim), newPanels(kernel.DoubleColumns, visitRows,
				pair.Dim)
			products[p] = make([]float64, size*visitRows)
		}
		return func(block int) {
			at := block * size
			high := min(size, n-at)
			for p, pair := range pairs {
				for i := range ceilDiv(high, kernel.PanelRows) {
					packPanel(left[p], i, pair.Queries[at*pair.Dim:], pair.Dim, high)
				}
			}
			for first := 0; first < rows && ctx.Err() == nil; first += visitRows {
				cols := min(visitRows, rows-first)
				for p, pair := range pairs {
					for i := range ceilDiv(cols, kernel.DoubleColumns) {
						packPanel(right[p], i, pair.Bank[first*pair.Dim:], pair.Dim, cols)
					}
					multiply(products[p], visitRows, left[p], high, right[p], 0, ceilDiv(cols, kernel.DoubleColumns),
						cols, false, tile)
				}
				for i := range high {
					for p := range pairs {
						now[p] = products[p][i*visitRows:][:cols]
					}
					visit(at+i, first, now)
				}
			}
		}
	})
}

// checkPairs returns the number of queries and of rows in each pair.
func checkPairs(pairs []Pair) (n, rows int, err error) {
	for p, pair := range pairs {
		r, err := rowsOf("bank", pair.Bank, pair.Dim)
		if err != nil {
			return 0, 0, err
		}
		q, err := rowsOf("queries", pair.Queries, pair.Dim)
		if err != nil {
			return 0, 0, err
		}
		if p == 0 {
			n, rows = q, r
		}
		if q != n || r != rows {
			return 0, 0, fmt.Errorf("linalg: pair %d: expected %d queries and %d rows as in the first, got %d and %d",
				p, n, rows, q, r)
		}
	}
	return n, rows, nil
}
