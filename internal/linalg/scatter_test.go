package linalg_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/linalg"
)

// naiveScatter adds the terms of each element in the order of the rows.
func naiveScatter(rows []float32, dim int, centre func(int) []float64) []float64 {
	out := make([]float64, dim*dim)
	for r := range len(rows) / dim {
		x := make([]float64, dim)
		for l := range x {
			x[l] = float64(rows[r*dim+l])
			if centre != nil {
				x[l] -= centre(r)[l]
			}
		}
		for i := range dim {
			for j := range dim {
				out[i*dim+j] += float64(x[i] * x[j])
			}
		}
	}
	return out
}

func TestScatter(t *testing.T) {
	ctx := context.Background()
	check := func(t *rapid.T) {
		dim, n := rapid.IntRange(1, 40).Draw(t, "dim"), rapid.IntRange(0, 60).Draw(t, "rows")
		rows := drawRows(t, "rows", n, dim)
		centres := normals(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), 3*dim)
		centre := func(row int) []float64 { return centres[row%3*dim:][:dim] }
		if rapid.Bool().Draw(t, "not centred") {
			centre = nil
		}
		want := naiveScatter(rows, dim, centre)
		for i := range want {
			want[i] /= 7
		}
		s, first := linalg.NewScatter(dim), rapid.IntRange(0, n/3).Draw(t, "first portion")*3
		workers := rapid.IntRange(1, 3).Draw(t, "workers")
		require.NoError(t, s.Add(ctx, rows[:first*dim], centre, workers))
		require.NoError(t, s.Add(ctx, rows[first*dim:], centre, workers))
		require.Equal(t, n, s.Len())
		got := make([]float64, dim*dim)
		require.NoError(t, s.Matrix(got, 7))
		require.Equal(t, want, got)
	}
	atLevels(t, func(t *testing.T) { rapid.Check(t, check) })
}

func TestScatterOfManyRows(t *testing.T) {
	const dim, n = 130, 1300
	rng := rand.New(rand.NewPCG(4, 0))
	rows := make([]float32, n*dim)
	for i := range rows {
		rows[i] = float32(rng.NormFloat64())
	}
	want := naiveScatter(rows, dim, nil)
	for _, portion := range []int{n, 500} {
		s := linalg.NewScatter(dim)
		for part := range slices.Chunk(rows, portion*dim) {
			require.NoError(t, s.Add(context.Background(), part, nil, 2))
		}
		got := make([]float64, dim*dim)
		require.NoError(t, s.Matrix(got, 1))
		require.Equal(t, want, got)
	}
}

func TestScatterRefuses(t *testing.T) {
	ctx := context.Background()
	s := linalg.NewScatter(2)
	require.EqualError(t, s.Add(ctx, make([]float32, 3), nil, 1),
		"linalg: scatter: expected rows of 2 features, got 3 elements")
	require.EqualError(t, s.Matrix(make([]float64, 3), 1), "linalg: scatter: expected room for [2, 2], got 3 elements")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, s.Add(stopped, make([]float32, 4), nil, 1), context.Canceled)
}

func ExampleScatter() {
	s := linalg.NewScatter(2)
	mean := []float64{1, 1}
	if err := s.Add(context.Background(), []float32{0, 0, 2, 2}, func(int) []float64 { return mean }, 1); err != nil {
		panic(err)
	}
	covariance := make([]float64, 4)
	if err := s.Matrix(covariance, 2); err != nil {
		panic(err)
	}
	fmt.Println(covariance)
	// Output: [1 1 1 1]
}
