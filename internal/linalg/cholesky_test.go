package linalg

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
)

// The factor solves and inverts like gonum's, for sizes around those of a block, with the same bits for any number of
// workers.
func TestCholeskyAgreesWithGonum(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{1, 2, 7, 95, 96, 97, 200} {
		rng := rand.New(rand.NewPCG(uint64(n), 3))
		x := mat.NewDense(n, n, nil)
		for i := range n {
			for j := range n {
				x.Set(i, j, rng.NormFloat64())
			}
		}
		var square mat.Dense
		square.Mul(x, x.T())
		sym := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				v := square.At(i, j)
				if i == j {
					v += float64(n)
				}
				sym.SetSym(i, j, v)
			}
		}
		full := func() []float64 {
			a := make([]float64, n*n)
			for i := range n {
				for j := range n {
					a[i*n+j] = sym.At(i, j)
					if j > i {
						a[i*n+j] = 1e9 // must not be read
					}
				}
			}
			return a
		}
		var want mat.Cholesky
		require.True(t, want.Factorize(sym))
		c, err := NewCholesky(ctx, full(), n, 1)
		require.NoError(t, err)
		assert.InEpsilon(t, want.LogDet()/2+1, c.LogDiagonal()+1, 1e-11)
		b := make([]float64, n)
		for i := range b {
			b[i] = rng.NormFloat64()
		}
		var solution mat.VecDense
		require.NoError(t, want.SolveVecTo(&solution, mat.NewVecDense(n, append([]float64(nil), b...))))
		c.Solve(b)
		assert.InDeltaSlice(t, solution.RawVector().Data, b, 1e-11)
		inverse, err := c.Inverse(ctx, 1)
		require.NoError(t, err)
		var expected mat.SymDense
		require.NoError(t, want.InverseTo(&expected))
		for i := range n {
			for j := range n {
				assert.InDelta(t, expected.At(i, j), inverse[i*n+j], 1e-11)
			}
		}
		many, err := NewCholesky(ctx, full(), n, 5)
		require.NoError(t, err)
		other, err := many.Inverse(ctx, 3)
		require.NoError(t, err)
		assert.Equal(t, inverse, other)
	}
}

func TestCholeskyRefuses(t *testing.T) {
	ctx := context.Background()
	for _, a := range [][]float64{{-1}, {0}} {
		_, err := NewCholesky(ctx, a, 1, 1)
		assert.ErrorIs(t, err, ErrNotPositive)
	}
	_, err := NewCholesky(ctx, []float64{1, 0, 2, 1}, 2, 1)
	assert.ErrorIs(t, err, ErrNotPositive)
	_, err = NewCholesky(ctx, make([]float64, 5), 2, 1)
	assert.ErrorContains(t, err, "expected a matrix [2, 2], got 5 elements")
	c, err := NewCholesky(ctx, []float64{4}, 1, 1)
	require.NoError(t, err)
	assert.ErrorContains(t, c.Forward(ctx, make([]float64, 3), 2, 1),
		"expected [2, 1] right-hand sides, got 3 elements")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = NewCholesky(ended, []float64{4}, 1, 1)
	assert.ErrorIs(t, err, context.Canceled)
}

func BenchmarkCholesky(b *testing.B) {
	const n = 2048
	for b.Loop() {
		a := make([]float64, n*n)
		for i := range n {
			for j := range i {
				a[i*n+j] = 1 / float64(1+i-j)
			}
			a[i*n+i] = n
		}
		if _, err := NewCholesky(context.Background(), a, n, 2); err != nil {
			b.Fatal(err)
		}
	}
}
