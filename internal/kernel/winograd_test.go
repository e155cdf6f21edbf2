package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/racetest"
)

// propWinograd draws convolutions that run on Winograd's transforms and compares them with float64. The bounds are so
// tight that a wrong tile or border is found.
func propWinograd(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	g := ConvGeom{
		C: rapid.IntRange(16, 24).Draw(t, "C"), O: rapid.IntRange(8, 20).Draw(t, "O"),
		H: rapid.IntRange(2, 16).Draw(t, "H"), W: rapid.SampledFrom([]int{9, 14, 16, 23, 28, 32, 48, 66}).Draw(t, "W"),
		KH: 3, KW: 3, PH: 1, PW: 1,
	}
	if rapid.IntRange(0, 3).Draw(t, "other padding") == 0 {
		g.PH, g.PW, g.H = rapid.IntRange(0, 3).Draw(t, "PH"), rapid.IntRange(0, 3).Draw(t, "PW"), g.H+1
	}
	if rapid.Bool().Draw(t, "even") {
		g.H = (g.H + 3) &^ 3
	}
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
	s.Post = drawPost(t)
	if rapid.Bool().Draw(t, "post") {
		s.PostScale, s.PostShift = randSlice[float32](rng, g.O), randSlice[float32](rng, g.O)
	}
	if rapid.Bool().Draw(t, "pre") {
		s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C),
			rapid.Bool().Draw(t, "pre relu")
	}
	var mem arena
	defer mem.free()
	x := guarded(&mem, randSlice[float32](rng, g.InLen()))
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = guarded(&mem, randSlice[float32](rng, g.OutLen()))
	}
	c, err := NewConv(s)
	require.NoError(t, err)
	y := guarded(&mem, nans[float32](g.OutLen()))
	c.Forward(y, x, residual, guarded(&mem, nans[float32](c.ScratchLen())))
	want, _ := refForward(s, x, residual, eps32)
	if currentLevel() == avx512 { // the other vector level has the same bits
		restore, err := ForceLevel("avx2")
		require.NoError(t, err)
		other, err := NewConv(s)
		restore()
		require.NoError(t, err)
		z := make([]float32, g.OutLen())
		other.Forward(z, x, residual, make([]float32, other.ScratchLen()))
		require.Equal(t, z, y)
	}
	for i := range want {
		if !(math.Abs(want[i]-float64(y[i])) <= 5e-5) {
			t.Fatalf("output %d of %+v: want %v, got %v", i, g, want[i], y[i])
		}
	}
}

// propWinogradBack compares the input gradient, which is a Winograd convolution itself, with the generic one.
func propWinogradBack(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	g := ConvGeom{
		C: rapid.IntRange(8, 20).Draw(t, "C"), O: rapid.IntRange(12, 24).Draw(t, "O"),
		H: 4 * rapid.IntRange(2, 4).Draw(t, "H/4"), W: rapid.SampledFrom([]int{15, 16, 32, 40}).Draw(t, "W"),
		KH: 3, KW: 3, PH: rapid.IntRange(0, 2).Draw(t, "PH"), PW: rapid.IntRange(0, 2).Draw(t, "PW"),
	}
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
	if rapid.Bool().Draw(t, "pre") {
		s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C),
			rapid.Bool().Draw(t, "pre relu")
	}
	x, dy, before := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen()),
		randSlice[float32](rng, g.InLen())
	adds := rapid.SampledFrom([]string{"", "dx", "other"}).Draw(t, "plus")
	results := perLevel(t, func() []float32 {
		var mem arena
		defer mem.free()
		c, err := NewConv(s)
		require.NoError(t, err)
		dx, plus := guarded(&mem, before), []float32(nil)
		switch adds {
		case "dx":
			plus = dx
		case "other":
			dx, plus = guarded(&mem, nans[float32](len(dx))), dx
		}
		c.BackwardInput(dx, guarded(&mem, dy), guarded(&mem, x), nil, nil, plus,
			guarded(&mem, nans[float32](c.ScratchLen())))
		return append([]float32(nil), dx...)
	})
	for l, got := range results[1:] {
		for i, want := range results[0] {
			if !(math.Abs(float64(want-got[i])) <= 5e-5) {
				t.Fatalf("%s gradient %d of %+v: want %v, got %v", Levels()[l+1], i, g, want, got[i])
			}
		}
		require.Equal(t, results[1], got, "bits of %+v", g)
	}
}

func TestWinogradBack(t *testing.T) { rapid.Check(t, propWinogradBack) }

func TestWinograd(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propWinograd) })
}

// TestWinogradError compares the rounding errors of every level on a layer of the DenseNet and on one of ResNet-50.
func TestWinogradError(t *testing.T) {
	racetest.OneGoroutine(t)
	for _, tc := range []struct {
		g    ConvGeom
		most float64 // root mean square error relative to the outputs
	}{
		{ConvGeom{C: 48, H: 32, W: 32, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, 5e-7},
		{ConvGeom{C: 128, H: 28, W: 28, O: 128, KH: 3, KW: 3, PH: 1, PW: 1}, 2e-6},
	} {
		s := benchSpec(tc.g, false)
		x := randSlice[float32](newRand(8), s.Geom.InLen())
		want, _ := refForward(s, x, nil, eps32)
		atLevels(t, func(t *testing.T) {
			c, err := NewConv(s)
			require.NoError(t, err)
			y := make([]float32, s.Geom.OutLen())
			c.Forward(y, x, nil, make([]float32, c.ScratchLen()))
			var worst, sq, size float64
			for i, v := range want {
				d := math.Abs(v - float64(y[i]))
				worst, sq, size = max(worst, d), sq+d*d, size+v*v
			}
			rel := math.Sqrt(sq / size)
			t.Logf("largest error %.2g, relative in the mean square %.2g", worst, rel)
			require.Less(t, rel, tc.most)
		})
	}
}
