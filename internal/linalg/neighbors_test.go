package linalg_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/kernel"
	"github.com/line-ood/goline/internal/linalg"
)

// atLevels runs a test once for every instruction set of this CPU.
func atLevels(t *testing.T, f func(t *testing.T)) {
	for _, name := range kernel.Levels() {
		t.Run(name, func(t *testing.T) {
			restore, err := kernel.ForceLevel(name)
			require.NoError(t, err)
			defer restore()
			f(t)
		})
	}
}

// drawRows returns n rows of one of several kinds: spread out, all near each other, mostly zeros, of few values with
// many ties, or of very different lengths.
func drawRows(t *rapid.T, name string, n, dim int) []float32 {
	kind := rapid.SampledFrom([]string{"normal", "near", "sparse", "few", "lengths"}).Draw(t, name+" kind")
	scale := rapid.SampledFrom([]float64{1, 1, 1e-30, 1e-42, 1e30}).Draw(t, name+" scale")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, name+" seed"), 0))
	x := make([]float32, n*dim)
	for i := range x {
		v := rng.NormFloat64()
		switch kind {
		case "near":
			v = 1 + 1e-6*v
		case "sparse":
			if rng.IntN(8) > 0 {
				v = 0
			}
		case "few":
			v = float64(rng.IntN(3) - 1)
		case "lengths":
			v *= math.Pow(10, float64(i/dim*7%11)-5)
		}
		x[i] = float32(v * scale)
	}
	return x
}

// naiveDistance and naiveInner follow the definition, with the order of addition that the functions document.
func naiveDistance(a, b []float32) float64 {
	return lanes(len(a), func(i int) float64 {
		d := float64(a[i]) - float64(b[i])
		return d * d
	})
}

func naiveInner(a, b []float32) float64 {
	return lanes(len(a), func(i int) float64 { return float64(a[i]) * float64(b[i]) })
}

func lanes(n int, term func(i int) float64) float64 {
	var s [4]float64
	for i := range n {
		lane := i % 4
		if i >= n&^3 {
			lane = 0
		}
		s[lane] += float64(term(i))
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// kthDistance writes the squared distance of each query's k-th nearest row to dst.
func kthDistance(ctx context.Context, b *linalg.Bank, queries []float32, k int, dst []float64, workers int) error {
	n := max(0, k) * len(dst)
	distances, rows := make([]float64, n), make([]int32, n)
	err := b.Nearest(ctx, queries, k, distances, rows, workers)
	for i := range dst {
		if err == nil {
			dst[i] = distances[(i+1)*k-1]
		}
	}
	return err
}

func checkSearch(t *rapid.T) {
	ctx := context.Background()
	dim, n, m := rapid.IntRange(1, 70).Draw(t, "dim"), rapid.IntRange(1, 400).Draw(t, "rows"),
		rapid.IntRange(0, 20).Draw(t, "queries")
	k := rapid.IntRange(1, n).Draw(t, "k")
	workers := rapid.IntRange(1, 3).Draw(t, "workers")
	rows, queries := drawRows(t, "rows", n, dim), drawRows(t, "queries", m, dim)
	if rapid.Bool().Draw(t, "queries of the bank") {
		for i := range m {
			copy(queries[i*dim:][:dim], rows[i*31%n*dim:])
		}
	}
	b, err := linalg.NewBank(ctx, rows, dim, workers)
	require.NoError(t, err)
	distances := make([]float64, m)
	require.NoError(t, kthDistance(ctx, b, queries, k, distances, workers))
	values, at := make([]float64, m*k), make([]int32, m*k)
	require.NoError(t, b.TopInner(ctx, queries, k, values, at, workers))
	for i := range m {
		q := queries[i*dim:][:dim]
		all, inner, order := make([]float64, n), make([]float64, n), make([]int32, n)
		for j := range n {
			all[j], inner[j], order[j] = naiveDistance(q, rows[j*dim:][:dim]), naiveInner(q, rows[j*dim:][:dim]),
				int32(j)
		}
		slices.Sort(all)
		require.Equal(t, all[k-1], distances[i], "query %d", i)
		slices.SortStableFunc(order, func(a, b int32) int {
			switch {
			case inner[a] > inner[b]:
				return -1
			case inner[a] < inner[b]:
				return 1
			}
			return 0
		})
		require.Equal(t, order[:k], at[i*k:][:k], "query %d", i)
		for j, r := range order[:k] {
			require.Equal(t, inner[r], values[i*k+j])
		}
	}
}

func TestSearchIsExact(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, checkSearch) })
}

func FuzzSearch(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkSearch)) }

// TestSearchOfManyRows uses banks of many chunks and queries of several blocks, with rows in order of distance and in
// random order.
func TestSearchOfManyRows(t *testing.T) {
	ctx := context.Background()
	const dim, n, m, k = 600, 700, 200, 50
	rng := rand.New(rand.NewPCG(1, 2))
	rows, queries := make([]float32, n*dim), make([]float32, m*dim)
	for i := range rows {
		rows[i] = float32(rng.NormFloat64() * float64(1+i/dim%300))
	}
	for i := range queries {
		queries[i] = float32(rng.NormFloat64())
	}
	b, err := linalg.NewBank(ctx, rows, dim, 2)
	require.NoError(t, err)
	for _, workers := range []int{1, 2, 5} {
		got := make([]float64, m)
		require.NoError(t, kthDistance(ctx, b, queries, k, got, workers))
		for i := 0; i < m; i += 17 {
			all := make([]float64, n)
			for j := range all {
				all[j] = naiveDistance(queries[i*dim:][:dim], rows[j*dim:][:dim])
			}
			slices.Sort(all)
			require.Equal(t, all[k-1], got[i])
		}
	}
}

func TestSearchOfRowsAlike(t *testing.T) {
	ctx := context.Background()
	for _, value := range []float32{0, 0.3, math.MaxFloat32, math.SmallestNonzeroFloat32} {
		rows := slices.Repeat([]float32{value}, 5*1000)
		b, err := linalg.NewBank(ctx, rows, 5, 2)
		require.NoError(t, err)
		got := []float64{-1}
		require.NoError(t, kthDistance(ctx, b, []float32{value, value, value, value, 0}, 999, got, 2))
		require.Equal(t, float64(value)*float64(value), got[0])
		values, at := make([]float64, 3), make([]int32, 3)
		require.NoError(t, b.TopInner(ctx, []float32{1, 0, 0, 0, 0}, 3, values, at, 2))
		require.Equal(t, []int32{0, 1, 2}, at)
	}
}

func TestBankRefuses(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		rows []float32
		dim  int
		want string
	}{
		{nil, 3, "linalg: bank: expected at least one row, got none"},
		{make([]float32, 4), 3, "linalg: bank: expected rows of 3 features, got 4 elements"},
		{make([]float32, 4), 0, "linalg: bank: expected at least one feature, got 0"},
		{[]float32{1, 2, 3, float32(math.NaN())}, 2,
			"linalg: bank: expected finite features, got NaN in row 1, feature 1"},
		{[]float32{1, float32(math.Inf(1))}, 2, "linalg: bank: expected finite features, got +Inf in row 0, feature 1"},
	} {
		_, err := linalg.NewBank(ctx, tc.rows, tc.dim, 1)
		require.EqualError(t, err, tc.want)
	}
	b, err := linalg.NewBank(ctx, make([]float32, 6), 2, 1)
	require.NoError(t, err)
	require.Equal(t, 3, b.Len())
	require.Equal(t, 2, b.Dim())
	for _, k := range []int{0, 4} {
		require.EqualError(t, kthDistance(ctx, b, make([]float32, 2), k, make([]float64, 1), 1),
			fmt.Sprintf("linalg: expected k from 1 to the bank's 3 rows, got %d", k))
	}
	require.ErrorContains(t, kthDistance(ctx, b, make([]float32, 3), 1, make([]float64, 1), 1),
		"queries: expected rows of 2 features, got 3 elements")
	require.ErrorContains(t, b.TopInner(ctx, make([]float32, 2), 2, make([]float64, 1), nil, 1), "expected room for 2")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, kthDistance(stopped, b, make([]float32, 2), 1, make([]float64, 1), 1), context.Canceled)
	_, err = linalg.NewBank(stopped, make([]float32, 6), 2, 1)
	require.ErrorIs(t, err, context.Canceled)
}

func ExampleBank() {
	ctx := context.Background()
	bank, err := linalg.NewBank(ctx, []float32{0, 0, 3, 4, 6, 8}, 2, 1)
	if err != nil {
		panic(err)
	}
	squared, rows := make([]float64, 2), make([]int32, 2)
	if err := bank.Nearest(ctx, []float32{0, 0}, 2, squared, rows, 1); err != nil {
		panic(err)
	}
	fmt.Println(squared, rows)
	// Output: [0 25] [0 1]
}
