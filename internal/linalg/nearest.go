package linalg

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Nearest writes, for each of queries [n, Dim], the k smallest of all SquaredDistance(query, row) in ascending order
// to distances [n, k], and the indices of their rows to rows [n, k]; ties are in the order of rows. k is from 1 to
// Len.
func (b *Bank) Nearest(ctx context.Context, queries []float32, k int, distances []float64, rows []int32,
	workers int) error {
	n, err := b.check(queries, k)
	if err != nil {
		return err
	}
	if len(distances) != n*k || len(rows) != n*k {
		return fmt.Errorf("linalg: nearest rows: expected room for %d, got %d and %d", n*k, len(distances), len(rows))
	}
	return b.search(ctx, queries, k, true, workers, func(i int, s *shortlist) {
		q := queries[i*b.dim:][:b.dim]
		s.drop()
		for j := range s.rows {
			c := &s.rows[j]
			c.lo = SquaredDistance(q, b.row(int(c.row)))
		}
		slices.SortFunc(s.rows, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.row, b.row))
		})
		for j, c := range s.rows[:k] {
			distances[i*k+j], rows[i*k+j] = c.lo, c.row
		}
	})
}
