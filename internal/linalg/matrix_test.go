package linalg_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/linalg"
)

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// naiveMulTransposed adds products in order, each rounded first.
func naiveMulTransposed(a, b []float64, n, m, d int) []float64 {
	out := make([]float64, n*m)
	for i := range n {
		for j := range m {
			for l := range d {
				out[i*m+j] += float64(a[i*d+l] * b[j*d+l])
			}
		}
	}
	return out
}

func TestMulTransposed(t *testing.T) {
	ctx := context.Background()
	check := func(t *rapid.T) {
		n, m, d := rapid.IntRange(0, 30).Draw(t, "n"), rapid.IntRange(0, 30).Draw(t, "m"),
			rapid.IntRange(0, 40).Draw(t, "d")
		if rapid.Bool().Draw(t, "many terms") {
			d += 250
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a, b, dst := normals(rng, n*d), normals(rng, m*d), normals(rng, n*m)
		require.NoError(t, linalg.MulTransposed(ctx, dst, a, b, n, m, d, rapid.IntRange(1, 4).Draw(t, "workers")))
		require.Equal(t, naiveMulTransposed(a, b, n, m, d), dst)
	}
	atLevels(t, func(t *testing.T) { rapid.Check(t, check) })
}

func TestMulTransposedOfManyRows(t *testing.T) {
	const n, m, d = 211, 37, 300
	rng := rand.New(rand.NewPCG(3, 0))
	a, b := normals(rng, n*d), normals(rng, m*d)
	want := naiveMulTransposed(a, b, n, m, d)
	for _, workers := range []int{0, 1, 2, 3} {
		dst := make([]float64, n*m)
		require.NoError(t, linalg.MulTransposed(context.Background(), dst, a, b, n, m, d, workers))
		require.Equal(t, want, dst)
	}
}

func TestMulTransposedRefuses(t *testing.T) {
	ctx := context.Background()
	require.EqualError(t, linalg.MulTransposed(ctx, nil, nil, make([]float64, 5), 0, 2, 3, 1),
		"linalg: product: expected a matrix [2, 3], got 5 elements")
	b := linalg.NewMatrix(make([]float32, 6), 2, 3)
	require.EqualError(t, b.MulTransposed(ctx, make([]float64, 2), make([]float64, 4), 1, 1),
		"linalg: product with a matrix [2, 3]: expected [1, 3] into [1, 2], got 4 elements into 2")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, b.MulTransposed(stopped, make([]float64, 2), make([]float64, 3), 1, 1), context.Canceled)
}

func ExampleMatrix() {
	b := linalg.NewMatrix([]float32{1, 2, 3, 4}, 2, 2)
	dst := make([]float64, 2)
	if err := b.MulTransposed(context.Background(), dst, []float64{1, -1}, 1, 1); err != nil {
		panic(err)
	}
	fmt.Println(dst)
	// Output: [-1 -1]
}

func TestVisitInner(t *testing.T) {
	ctx := context.Background()
	check := func(t *rapid.T) {
		n, rows := rapid.IntRange(0, 20).Draw(t, "queries"), rapid.IntRange(1, 200).Draw(t, "rows")
		var pairs []linalg.Pair
		for p := range rapid.IntRange(1, 2).Draw(t, "pairs") {
			dim := rapid.IntRange(1, 30).Draw(t, "dim")
			pairs = append(pairs, linalg.Pair{Bank: drawRows(t, fmt.Sprint("bank ", p), rows, dim),
				Queries: drawRows(t, fmt.Sprint("queries ", p), n, dim), Dim: dim})
		}
		var mu sync.Mutex
		next := make([]int, n)
		err := linalg.VisitInner(ctx, pairs, rapid.IntRange(1, 3).Draw(t, "workers"),
			func(query, first int, products [][]float64) {
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, next[query], first)
				require.Len(t, products, len(pairs))
				next[query] += len(products[0])
				for p, pair := range pairs {
					for j, got := range products[p] {
						want := 0.0
						for l := range pair.Dim {
							want += float64(float64(pair.Queries[query*pair.Dim+l]) * float64(pair.Bank[(first+
								j)*pair.Dim+l]))
						}
						require.Equal(t, want, got)
					}
				}
			})
		require.NoError(t, err)
		for _, end := range next {
			require.Equal(t, rows, end)
		}
	}
	atLevels(t, func(t *testing.T) { rapid.Check(t, check) })
}

func TestVisitInnerRefuses(t *testing.T) {
	ctx := context.Background()
	visit := func(int, int, [][]float64) {}
	a := linalg.Pair{Bank: make([]float32, 4), Queries: make([]float32, 2), Dim: 2}
	require.EqualError(t,
		linalg.VisitInner(ctx, []linalg.Pair{a, {Bank: make([]float32, 3), Queries: make([]float32, 1), Dim: 1}}, 1,
			visit),
		"linalg: pair 1: expected 1 queries and 2 rows as in the first, got 1 and 3")
	require.ErrorContains(t, linalg.VisitInner(ctx, []linalg.Pair{{Bank: make([]float32, 3), Dim: 2}}, 1, visit),
		"bank: expected rows of 2 features")
	require.ErrorContains(t, linalg.VisitInner(ctx, []linalg.Pair{{Queries: []float32{float32(math.Inf(1))}, Dim: 1}},
		1, visit), "queries: expected finite features")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, linalg.VisitInner(stopped, []linalg.Pair{a}, 1, visit), context.Canceled)
	require.NoError(t, linalg.VisitInner(ctx, nil, 1, visit))
}
