package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSoftmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(1, 4).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "k")
		src := randSlice[float64](newRand(rapid.Uint64().Draw(t, "seed")), n*k)
		shift := rapid.SampledFrom([]float64{0, 1e3, -1e3}).Draw(t, "shift")
		for i := range src {
			src[i] = 10*src[i] + shift
		}
		p, l, s := make([]float64, n*k), make([]float64, n*k), make([]float64, n)
		Softmax(p, src, n, k)
		LogSoftmax(l, src, n, k)
		LogSumExp(s, src, n, k)
		for i := range n {
			var sum float64
			for j := range k {
				sum += math.Exp(src[i*k+j] - shift)
			}
			require.InDelta(t, shift+math.Log(sum), s[i], 1e-9)
			for j := range k {
				require.InDelta(t, math.Exp(src[i*k+j]-shift)/sum, p[i*k+j], 1e-12)
				require.InDelta(t, src[i*k+j]-s[i], l[i*k+j], 1e-9)
			}
		}
		one, in := make([]float32, n*k), make([]float32, n*k)
		for i, v := range src {
			in[i] = float32(v)
		}
		Softmax(one, in, n, k)
		for i := range n {
			var sum float64
			for _, v := range one[i*k:][:k] {
				sum += float64(v)
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
	})
}

func TestSoftmaxEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	row := func(v ...float64) (p, l []float64, s float64) {
		p, l = make([]float64, len(v)), make([]float64, len(v))
		lse := []float64{0}
		Softmax(p, v, 1, len(v))
		LogSoftmax(l, v, 1, len(v))
		LogSumExp(lse, v, 1, len(v))
		return p, l, lse[0]
	}
	_, _, s := row(-inf, -inf)
	require.Equal(t, -inf, s)
	p, l, s := row(0, -inf)
	require.Equal(t, []float64{1, 0}, p)
	require.Equal(t, []float64{0, -inf}, l)
	require.Zero(t, s)
	_, _, s = row(0, inf)
	require.Equal(t, inf, s)
	_, _, s = row(1, nan)
	require.True(t, math.IsNaN(s))
	same := []float64{3, 3}
	Softmax(same, same, 1, 2)
	require.Equal(t, []float64{.5, .5}, same)
}
