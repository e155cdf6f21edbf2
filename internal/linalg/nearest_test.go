package linalg_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/linalg"
)

func TestNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		dim, n, m := rapid.IntRange(1, 30).Draw(t, "dim"), rapid.IntRange(1, 300).Draw(t, "rows"),
			rapid.IntRange(0, 9).Draw(t, "queries")
		k, workers := rapid.IntRange(1, n).Draw(t, "k"), rapid.IntRange(1, 3).Draw(t, "workers")
		rows, queries := drawRows(t, "rows", n, dim), drawRows(t, "queries", m, dim)
		b, err := linalg.NewBank(ctx, rows, dim, workers)
		require.NoError(t, err)
		distances, at := make([]float64, m*k), make([]int32, m*k)
		require.NoError(t, b.Nearest(ctx, queries, k, distances, at, workers))
		for i := range m {
			all, order := make([]float64, n), make([]int32, n)
			for j := range n {
				all[j], order[j] = naiveDistance(queries[i*dim:][:dim], rows[j*dim:][:dim]), int32(j)
			}
			slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(all[a], all[b]) })
			require.Equal(t, order[:k], at[i*k:][:k])
			for j, r := range order[:k] {
				require.Equal(t, all[r], distances[i*k+j])
			}
		}
	})
}

func TestNearestErrors(t *testing.T) {
	b, err := linalg.NewBank(t.Context(), []float32{1, 2, 3, 4}, 2, 1)
	require.NoError(t, err)
	assert.EqualError(t, b.Nearest(t.Context(), []float32{1, 2}, 1, nil, nil, 1),
		"linalg: nearest rows: expected room for 1, got 0 and 0")
	assert.EqualError(t, b.Nearest(t.Context(), []float32{1, 2}, 3, nil, nil, 1),
		"linalg: expected k from 1 to the bank's 2 rows, got 3")
}
