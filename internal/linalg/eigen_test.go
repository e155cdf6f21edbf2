package linalg_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/linalg"
)

// drawSymmetric returns a symmetric matrix [n, n] of one of several kinds.
func drawSymmetric(t *rapid.T, n int) []float64 {
	kind := rapid.SampledFrom([]string{"normal", "low rank", "diagonal", "zero", "identity", "graded", "blocks",
		"few values"}).Draw(t, "kind")
	scale := rapid.SampledFrom([]float64{1, 1, 1e-300, 1e300, 1e-320}).Draw(t, "scale")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	a := make([]float64, n*n)
	x := normals(rng, n*n)
	for i := range n {
		for j := range i + 1 {
			v := x[i*n+j]
			switch kind {
			case "low rank": // of rank two
				v = x[i]*x[j] + x[n*n-1-i]*x[n*n-1-j]
			case "diagonal", "identity":
				if i != j {
					v = 0
				} else if kind == "identity" {
					v = 1
				}
			case "zero":
				v = 0
			case "graded":
				v *= math.Pow(10, -float64(i+j)/2)
			case "blocks":
				if i/3 != j/3 {
					v = 0
				}
			case "few values":
				v = math.Round(v)
			}
			a[i*n+j], a[j*n+i] = v*scale, v*scale
		}
	}
	return a
}

func largest(a []float64) float64 {
	m := 0.0
	for _, v := range a {
		m = max(m, math.Abs(v))
	}
	return m
}

// requireEigen checks that values ascend, that vectors are orthonormal, and that together they make the matrix again.
func requireEigen(t require.TestingT, a, values, vectors []float64, n int) {
	require.True(t, slices.IsSorted(values))
	size := float64(n) * largest(a)
	for i := range n {
		for j := range i + 1 {
			inner, sum := 0.0, 0.0
			for l := range n {
				inner += vectors[i*n+l] * vectors[j*n+l]
				sum += values[l] * vectors[l*n+i] * vectors[l*n+j]
			}
			want := 0.0
			if i == j {
				want = 1
			}
			require.InDelta(t, want, inner, 1e-14*float64(n+10))
			require.InDelta(t, a[i*n+j], sum, 4e-15*size+1e-320)
		}
	}
}

func TestEigen(t *testing.T) {
	ctx := context.Background()
	check := func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		a := drawSymmetric(t, n)
		before := slices.Clone(a)
		for i := range n {
			for j := range i {
				a[i*n+j] = math.NaN() // elements that Eigen must not read
			}
		}
		values, vectors, err := linalg.Eigen(ctx, a, n, rapid.IntRange(1, 3).Draw(t, "workers"))
		require.NoError(t, err)
		requireEigen(t, before, values, vectors, n)
		if l := largest(before); l > 0 && (l < 1e-100 || l > 1e100) {
			return // gonum panics for this matrix
		}
		var e mat.EigenSym
		require.True(t, e.Factorize(mat.NewSymDense(n, before), false))
		for i, want := range e.Values(nil) {
			require.InDelta(t, want, values[i], 4e-15*float64(n)*largest(before)+1e-320)
		}
	}
	atLevels(t, func(t *testing.T) { rapid.Check(t, check) })
}

// TestEigenOfManyRows uses several panels of reflections. The bits must be the same with every instruction set and
// any number of workers.
func TestEigenOfManyRows(t *testing.T) {
	const n = 260
	x := normals(rand.New(rand.NewPCG(5, 0)), n*n/2)
	a := naiveMulTransposed(x, x, n, n, n/2) // half of the eigenvalues are zero
	var wantValues, wantVectors []float64
	atLevels(t, func(t *testing.T) {
		for _, workers := range []int{1, 2, 5} {
			values, vectors, err := linalg.Eigen(context.Background(), a, n, workers)
			require.NoError(t, err)
			if wantValues == nil {
				requireEigen(t, a, values, vectors, n)
				wantValues, wantVectors = values, vectors
			}
			require.Equal(t, wantValues, values)
			require.Equal(t, wantVectors, vectors)
		}
	})
	require.Equal(t, n/2, n-linalg.Null(wantValues))
}

func TestEigenRefuses(t *testing.T) {
	ctx := context.Background()
	_, _, err := linalg.Eigen(ctx, make([]float64, 3), 2, 1)
	require.EqualError(t, err, "linalg: eigenvalues: expected a matrix [2, 2], got 3 elements")
	_, _, err = linalg.Eigen(ctx, []float64{1, math.NaN(), 0, 1}, 2, 1)
	require.EqualError(t, err, "linalg: eigenvalues: expected finite elements, got NaN in row 0, column 1")
	values, _, err := linalg.Eigen(ctx, nil, 0, 1)
	require.NoError(t, err)
	require.Empty(t, values)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = linalg.Eigen(stopped, make([]float64, 9), 3, 1)
	require.ErrorIs(t, err, context.Canceled)
}

func ExampleEigen() {
	values, vectors, err := linalg.Eigen(context.Background(), []float64{2, 0, 0, 1}, 2, 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(values, vectors)
	// Output: [1 2] [0 1 1 0]
}

func TestNull(t *testing.T) {
	require.Equal(t, 0, linalg.Null(nil))
	require.Equal(t, 2, linalg.Null([]float64{0, 0}))
	require.Equal(t, 2, linalg.Null([]float64{-1e-20, 4e-16, 1}))
	require.Equal(t, 1, linalg.Null([]float64{-1e-20, 1e-15, 1}))
	require.Equal(t, 2, linalg.Null([]float64{-2, -1}))
	require.Equal(t, 0, linalg.Null([]float64{3}))
}
