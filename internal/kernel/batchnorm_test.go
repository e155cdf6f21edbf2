package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// normForward and normBackward run a BatchNorm over a batch [n, c, hw].
func normForward[T Float](f *BatchNorm[T], y, x, residual, gamma, beta []T, n int) {
	size := len(x) / n
	f.Reset()
	for i := range n {
		f.Observe(x[i*size:])
	}
	f.Settle(gamma, beta)
	for i := range n {
		var r []T
		if residual != nil {
			r = residual[i*size:]
		}
		f.Forward(y[i*size:], x[i*size:], r)
	}
}

func normBackward[T Float](f *BatchNormGradient[T], dx, dy, x, gamma []T, n int) {
	size := len(x) / n
	f.Reset()
	for i := range n {
		f.Observe(dy[i*size:], x[i*size:])
	}
	f.Settle(gamma)
	for i := range n {
		f.Backward(dx[i*size:], dy[i*size:], x[i*size:])
	}
}

func propBatchNorm[T Float](tol float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		n, c, hw := rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "c"),
			rapid.OneOf(rapid.IntRange(2, 60), rapid.SampledFrom([]int{16, 32, 48, 64})).Draw(t, "hw")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		offset := rapid.SampledFrom([]T{0, 5}).Draw(t, "offset")
		x := guarded(&mem, randSlice[T](rng, n*c*hw))
		for i := range x {
			x[i] += offset
		}
		gamma, beta := randSlice[T](rng, c), randSlice[T](rng, c)
		y := guarded(&mem, nans[T](len(x)))
		const eps = 1e-3
		relu := rapid.Bool().Draw(t, "relu")
		var residual []T
		if rapid.Bool().Draw(t, "residual") {
			residual = guarded(&mem, randSlice[T](rng, len(x)))
		}
		f := NewBatchNorm[T](c, hw, eps, relu)
		back := f.Gradient(relu && residual == nil)
		normForward(f, y, x, residual, gamma, beta, n)
		dy := guarded(&mem, randSlice[T](rng, len(x)))
		dx := guarded(&mem, nans[T](len(x)))
		if rapid.Bool().Draw(t, "in place") {
			dx = guarded(&mem, dy)
			normBackward(back, dx, dx, x, gamma, n)
		} else {
			normBackward(back, dx, dy, x, gamma, n)
		}
		passed := append([]T(nil), dy...)
		for i := range passed {
			if relu && residual == nil && !(y[i] > 0) {
				passed[i] = 0
			}
		}
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
				sg += float64(passed[i])
				sgx += float64(passed[i]) * hat(i)
			})
			require.InDelta(t, mu, float64(f.Mean[ch]), tol*(1+math.Abs(mu)))
			require.InDelta(t, v, float64(f.Variance[ch]), tol*(1+v))
			require.InEpsilon(t, inv, float64(f.InvStd[ch]), 4*tol)
			size := 60 * tol * (1 + float64(offset)*inv)
			each(func(i int) {
				want := hat(i)*float64(gamma[ch]) + float64(beta[ch])
				if residual != nil {
					want += float64(residual[i])
				}
				if relu {
					want = max(want, 0)
				}
				require.InDelta(t, want, float64(y[i]), size)
				want = float64(gamma[ch]) * inv * (float64(passed[i]) - sg/m - hat(i)*sgx/m)
				require.InDelta(t, want, float64(dx[i]), size*(1+inv)*3)
			})
			require.InDelta(t, sgx, float64(back.DGamma[ch]), tol*m*4*(1+inv))
			require.InDelta(t, sg, float64(back.DBeta[ch]), tol*m*4)
		}
	}
}

func TestBatchNorm(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propBatchNorm[float32](1e-6)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propBatchNorm[float64](1e-14)) })
}

// TestBatchNormVariance checks the variance of whole numbers far from zero, of which the first sample is far from all
// others. The sum of squares about zero would lose it.
func TestBatchNormVariance(t *testing.T) {
	const n, hw = 64, 48
	rng, x, constant := newRand(5), make([]float32, n*hw), make([]float32, n*hw)
	for i := range x {
		x[i], constant[i] = 1e7+float32(rng.IntN(3)), 1e7
		if i < hw {
			x[i] += 9
		}
	}
	var mu, v float64
	for _, e := range x {
		mu += float64(e) / (n * hw)
	}
	for _, e := range x {
		v += (float64(e) - mu) * (float64(e) - mu) / (n * hw)
	}
	atLevels(t, func(t *testing.T) {
		f, one := NewBatchNorm[float32](1, hw, 0, false), []float32{1}
		normForward(f, make([]float32, len(x)), x, nil, one, one, n)
		require.InEpsilon(t, v, float64(f.Variance[0]), 1e-6)
		normForward(f, make([]float32, len(x)), constant, nil, one, one, n)
		require.Zero(t, f.Variance[0], "of a constant")
	})
}

// TestBatchNormBits compares the bits of all vector code, with NaN and infinities among the elements.
func TestBatchNormBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, c, hw := rapid.IntRange(1, 3).Draw(t, "n"), rapid.IntRange(1, 4).Draw(t, "c"),
			rapid.SampledFrom([]int{1, 9, 16, 23, 48, 49, 64, 144}).Draw(t, "hw")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		x, dy, residual := randSlice[float32](rng, n*c*hw), randSlice[float32](rng, n*c*hw),
			randSlice[float32](rng, n*c*hw)
		if rapid.Bool().Draw(t, "special") {
			x[rng.IntN(len(x))], dy[rng.IntN(len(x))] = float32(math.NaN()), float32(math.Inf(1))
		}
		gamma, beta := randSlice[float32](rng, c), randSlice[float32](rng, c)
		relu, with := rapid.Bool().Draw(t, "relu"), rapid.Bool().Draw(t, "residual")
		if !with {
			residual = nil
		}
		run := func() []float32 {
			f := NewBatchNorm[float32](c, hw, 1e-5, relu)
			back := f.Gradient(relu && !with)
			y, dx := make([]float32, len(x)), make([]float32, len(x))
			normForward(f, y, x, residual, gamma, beta, n)
			normBackward(back, dx, dy, x, gamma, n)
			out := append(append(y, dx...), f.Mean...)
			return append(append(append(out, f.Variance...), back.DGamma...), back.DBeta...)
		}
		results := perLevel(t, run)
		for _, got := range results[1:] {
			for i, want := range results[1] {
				require.Equal(t, math.Float32bits(want), math.Float32bits(got[i]), "element %d", i)
			}
		}
	})
}
