package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func propBatchNorm[T Float](tol float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		n, c, hw := rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "c"),
			rapid.IntRange(2, 60).Draw(t, "hw")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		offset := rapid.SampledFrom([]T{0, 5}).Draw(t, "offset")
		x := guarded(&mem, randSlice[T](rng, n*c*hw))
		for i := range x {
			x[i] += offset
		}
		gamma, beta := randSlice[T](rng, c), randSlice[T](rng, c)
		y, mean, variance, invstd := guarded(&mem, nans[T](len(x))), make([]T, c), make([]T, c), make([]T, c)
		const eps = 1e-3
		BatchNormForward(y, x, gamma, beta, mean, variance, invstd, n, c, hw, eps)
		dy := guarded(&mem, randSlice[T](rng, len(x)))
		dx, dgamma, dbeta := guarded(&mem, nans[T](len(x))), make([]T, c), make([]T, c)
		dgamma[0], dbeta[0] = 1, 2
		BatchNormBackward(dx, dgamma, dbeta, dy, x, mean, invstd, gamma, n, c, hw)
		m := float64(n * hw)
		for ch := range c {
			each := func(f func(at int)) {
				for i := range n {
					for j := range hw {
						f((i*c+ch)*hw + j)
					}
				}
			}
			var mu, v, sg, sgx float64
			each(func(i int) { mu += float64(x[i]) / m })
			each(func(i int) { v += (float64(x[i]) - mu) * (float64(x[i]) - mu) / m })
			inv := 1 / math.Sqrt(v+eps)
			hat := func(i int) float64 { return (float64(x[i]) - mu) * inv }
			each(func(i int) {
				sg += float64(dy[i])
				sgx += float64(dy[i]) * hat(i)
			})
			require.InDelta(t, mu, float64(mean[ch]), tol*(1+math.Abs(mu)))
			require.InDelta(t, v, float64(variance[ch]), tol*(1+v))
			require.InEpsilon(t, inv, float64(invstd[ch]), 4*tol)
			size := 60 * tol * (1 + float64(offset)*inv)
			each(func(i int) {
				require.InDelta(t, hat(i)*float64(gamma[ch])+float64(beta[ch]), float64(y[i]), size)
				want := float64(gamma[ch]) * inv * (float64(dy[i]) - sg/m - hat(i)*sgx/m)
				require.InDelta(t, want, float64(dx[i]), size*(1+inv)*3)
			})
			if ch == 0 {
				sgx, sg = sgx+1, sg+2
			}
			require.InDelta(t, sgx, float64(dgamma[ch]), tol*m*4*(1+inv))
			require.InDelta(t, sg, float64(dbeta[ch]), tol*m*4)
		}
	}
}

func TestBatchNorm(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propBatchNorm[float32](1e-6)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propBatchNorm[float64](1e-14)) })
}

func TestBatchNormBackwardNil(t *testing.T) {
	x, one := []float32{1, 2, 3, 4}, []float32{1}
	BatchNormBackward(nil, nil, nil, x, x, one, one, one, 1, 1, 4)
	dx := make([]float32, 4)
	BatchNormBackward(dx, nil, nil, x, x, []float32{2.5}, one, one, 1, 1, 4)
	require.NotZero(t, dx[0])
}
