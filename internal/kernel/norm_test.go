package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// standardized returns a row standardised by the definition, and the gradient of its dot product with dy.
func standardized(x, dy []float64, eps float64, centre bool) (y, dx []float64) {
	m := float64(len(x))
	mean, square := 0.0, 0.0
	if centre {
		for _, v := range x {
			mean += v / m
		}
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / m
	}
	inv := 1 / math.Sqrt(square+eps)
	y, dx = make([]float64, len(x)), make([]float64, len(x))
	sum, dot := 0.0, 0.0
	for i, v := range x {
		y[i] = (v - mean) * inv
		sum += dy[i] / m
		dot += dy[i] * y[i] / m
	}
	if !centre {
		sum = 0
	}
	for i := range x {
		dx[i] = inv * (dy[i] - sum - y[i]*dot)
	}
	return y, dx
}

func propNorm[T Float](tol float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		n := rapid.IntRange(1, 200).Draw(t, "n")
		centre := rapid.Bool().Draw(t, "centre")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		x, dy := guarded(&mem, randSlice[T](rng, n)), guarded(&mem, randSlice[T](rng, n))
		const eps = 1e-2
		want, wantDX := standardized(to64(x), to64(dy), eps, centre)
		mean, inv := Moments(x, eps, centre)
		y, dx := guarded(&mem, nans[T](n)), guarded(&mem, nans[T](n))
		Standardize(y, x, mean, 3*inv, 0.5)
		StandardizeBackward(dx, dy, x, mean, inv, centre)
		for i := range y {
			require.InDelta(t, 3*want[i]+0.5, float64(y[i]), tol*(1+math.Abs(want[i])))
			require.InDelta(t, wantDX[i], float64(dx[i]), tol*10*(1+math.Abs(wantDX[i])))
		}
		Standardize(x, x, mean, 3*inv, 0.5)
		require.Equal(t, y, x, "in place")
	}
}

func TestNorm(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propNorm[float32](4e-6)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propNorm[float64](1e-13)) })
}

func propLRN[T Float](tol float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		channels, hw := rapid.IntRange(1, 9).Draw(t, "channels"), rapid.OneOf(rapid.IntRange(1, 40),
			rapid.Just(1100)).Draw(t, "hw")
		l := LRN{
			Size: rapid.IntRange(1, 6).Draw(t, "size"), Alpha: 0.7, K: 1.5,
			Beta: rapid.SampledFrom([]float64{0.75, 0.5, 1, 1.3}).Draw(t, "beta"),
		}
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		x, dy := guarded(&mem, randSlice[T](rng, channels*hw)), guarded(&mem, randSlice[T](rng, channels*hw))
		y, dx := guarded(&mem, nans[T](len(x))), guarded(&mem, nans[T](len(x)))
		LRNForward(l, y, x, channels, hw)
		LRNBackward(l, dx, dy, x, nans[T](len(x)), channels, hw)
		s, want := make([]float64, len(x)), make([]float64, len(x))
		in := func(c, i int) bool { // whether channel i is in the window of channel c
			return i >= c-(l.Size-1)/2 && i <= c+(l.Size-1)-(l.Size-1)/2
		}
		for at := range s {
			c, j := at/hw, at%hw
			s[at] = l.K
			for i := range channels {
				if in(c, i) {
					s[at] += l.Alpha / float64(l.Size) * float64(x[i*hw+j]) * float64(x[i*hw+j])
				}
			}
			require.InDelta(t, float64(x[at])*math.Pow(s[at], -l.Beta), float64(y[at]), tol*10)
		}
		for at := range want {
			c, j := at/hw, at%hw
			want[at] += float64(dy[at]) * math.Pow(s[at], -l.Beta)
			for i := range channels {
				if in(c, i) {
					want[i*hw+j] -= float64(dy[at]) * float64(x[at]) * l.Beta * math.Pow(s[at],
						-l.Beta-1) * 2 * l.Alpha / float64(l.Size) * float64(x[i*hw+j])
				}
			}
		}
		for at, v := range want {
			require.InDelta(t, v, float64(dx[at]), tol*100)
		}
	}
}

func TestLRN(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propLRN[float32](1e-6)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propLRN[float64](1e-14)) })
}

// TestNormLevelBits: the vector code gives the same bits at all levels.
func TestNormLevelBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		x, dy := randSlice[float32](rng, n), randSlice[float32](rng, n)
		results := perLevel(t, func() []float32 {
			out := nans[float32](4 * n)
			mean, inv := Moments(x, 1e-5, true)
			Standardize(out[:n], x, mean, inv, 0.25)
			StandardizeBackward(out[n:2*n], dy, x, mean, inv, true)
			l := LRN{Size: 3, Alpha: 1, Beta: 0.75, K: 1}
			LRNForward(l, out[2*n:3*n], x, 1, n)
			LRNBackward(l, out[3*n:], dy, x, make([]float32, n), 1, n)
			return out
		})
		for _, got := range results[1:] {
			require.Equal(t, results[1], got)
		}
	})
}
