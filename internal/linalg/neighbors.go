package linalg

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// TopInner writes, for each of queries [n, Dim], the k largest of all Inner(query, row) in descending order to values
// [n, k], and the indices of their rows to rows [n, k] unless that is nil; ties are in the order of rows. k is from 1
// to Len.
func (b *Bank) TopInner(ctx context.Context, queries []float32, k int, values []float64, rows []int32,
	workers int) error {
	n, err := b.check(queries, k)
	if err != nil {
		return err
	}
	if len(values) != n*k || rows != nil && len(rows) != n*k {
		return fmt.Errorf("linalg: inner products: expected room for %d, got %d and %d", n*k, len(values), len(rows))
	}
	return b.search(ctx, queries, k, false, workers, func(i int, s *shortlist) {
		q := queries[i*b.dim:][:b.dim]
		s.drop()
		for j := range s.rows {
			c := &s.rows[j]
			c.lo = Inner(q, b.row(int(c.row)))
		}
		slices.SortFunc(s.rows, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.lo, a.lo), cmp.Compare(a.row, b.row))
		})
		for j, c := range s.rows[:k] {
			values[i*k+j] = c.lo
			if rows != nil {
				rows[i*k+j] = c.row
			}
		}
	})
}

func (b *Bank) check(queries []float32, k int) (int, error) {
	n, err := rowsOf("queries", queries, b.dim)
	if err != nil {
		return 0, err
	}
	if k < 1 || k > b.n {
		return 0, fmt.Errorf("linalg: expected k from 1 to the bank's %d rows, got %d", b.n, k)
	}
	return n, nil
}
