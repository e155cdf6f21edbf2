package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// propWinogradWeight compares weight gradients of 3x3 convolutions, which may run on Winograd's transforms, with those
// in float64, and the bits of all vector levels.
func propWinogradWeight(t *rapid.T) {
	g := ConvGeom{
		C: rapid.IntRange(12, 40).Draw(t, "C"), O: rapid.IntRange(8, 40).Draw(t, "O"), KH: 3, KW: 3,
		H: rapid.IntRange(6, 20).Draw(t, "H"), W: rapid.IntRange(6, 34).Draw(t, "W"),
		PH: rapid.IntRange(0, 2).Draw(t, "PH"), PW: rapid.IntRange(0, 2).Draw(t, "PW"),
	}
	if rapid.Bool().Draw(t, "whole vectors") {
		size := rapid.SampledFrom([]int{8, 16, 32}).Draw(t, "size")
		g.H, g.W, g.PH, g.PW = size, size, 1, 1
	}
	n := rapid.IntRange(1, 9).Draw(t, "images")
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	xs, dys := g.InLen()+rapid.IntRange(0, 9).Draw(t, "x gap"), g.OutLen()+rapid.IntRange(0, 9).Draw(t, "dy gap")
	x, dy := randSlice[float32](rng, (n-1)*xs+g.InLen()), randSlice[float32](rng, (n-1)*dys+g.OutLen())
	dw := randSlice[float32](rng, g.WeightLen())
	sums := func(of func(float64) float64) []float64 {
		a, b, w := to64(x), to64(dy), to64(dw)
		for _, s := range [][]float64{a, b, w} {
			for i := range s {
				s[i] = of(s[i])
			}
		}
		ConvBackwardWeight(g, w, nil, a, b, n, xs, dys, nil)
		return w
	}
	want, size := sums(func(v float64) float64 { return v }), sums(math.Abs)
	results := perLevel(t, func() []float32 {
		var mem arena
		defer mem.free()
		got := guarded(&mem, dw)
		ConvBackwardWeight(g, got, nil, guarded(&mem, x), guarded(&mem, dy), n, xs, dys,
			guarded(&mem, nans[float32](ConvBackwardWeightScratch(g, n))))
		return append([]float32(nil), got...)
	})
	for l, got := range results {
		for i, w := range want {
			if !(math.Abs(w-float64(got[i])) <= 2e-6*size[i]) {
				t.Fatalf("%s: weight %d of %+v: want %v, got %v", Levels()[l], i, g, w, got[i])
			}
		}
		if l > 0 {
			require.Equal(t, results[1], got, "bits of %+v", g)
		}
	}
}

func TestWinogradWeight(t *testing.T) { rapid.Check(t, propWinogradWeight) }

// TestWinogradWeightError compares the rounding errors of all levels' weight gradients on layers of a residual network,
// in units of the root mean square of the gradients.
func TestWinogradWeightError(t *testing.T) {
	for _, g := range []ConvGeom{
		{C: 16, O: 16, H: 32, W: 32, KH: 3, KW: 3, PH: 1, PW: 1},
		{C: 64, O: 64, H: 8, W: 8, KH: 3, KW: 3, PH: 1, PW: 1},
	} {
		const n = 32
		rng := newRand(8)
		x, dy := randSlice[float32](rng, n*g.InLen()), randSlice[float32](rng, n*g.OutLen())
		want := make([]float64, g.WeightLen())
		ConvBackwardWeight(g, want, nil, to64(x), to64(dy), n, g.InLen(), g.OutLen(), nil)
		atLevels(t, func(t *testing.T) {
			dw := make([]float32, g.WeightLen())
			ConvBackwardWeight(g, dw, nil, x, dy, n, g.InLen(), g.OutLen(),
				make([]float32, ConvBackwardWeightScratch(g, n)))
			var e, s float64
			for i, v := range want {
				e += (float64(dw[i]) - v) * (float64(dw[i]) - v)
				s += v * v
			}
			t.Logf("%+v: %.2g", g, math.Sqrt(e/s))
			require.Less(t, math.Sqrt(e/s), 1e-6)
		})
	}
}
