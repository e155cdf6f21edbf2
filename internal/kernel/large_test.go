package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// largeConvs are large enough for several blocks of channels, strips of rows and runs of weights.
var largeConvs = []ConvGeom{
	{C: 130, H: 30, W: 28, O: 30, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2},
	{C: 90, H: 60, W: 44, O: 7, KH: 3, KW: 3, PH: 2, PW: 2, DH: 2, DW: 2},
	{C: 70, H: 40, W: 64, O: 26, KH: 2, KW: 5, PW: 2},
	{C: 3, H: 101, W: 99, O: 20, KH: 7, KW: 7, PH: 3, PW: 3, SH: 2, SW: 2},
	{C: 900, H: 7, W: 9, O: 130, KH: 1, KW: 1},
	{C: 500, H: 14, W: 14, O: 150, KH: 1, KW: 1, SH: 2, SW: 2},
	{C: 256, H: 9, W: 9, O: 100, KH: 3, KW: 3, PH: 1, PW: 1},
	{C: 70, H: 45, W: 37, O: 100, KH: 3, KW: 3, PH: 1, PW: 1},
	{C: 64, H: 19, W: 20, O: 260, KH: 3, KW: 3, PH: 0, PW: 2, EH: 1},
	{C: 60, H: 50, W: 70, O: 40, KH: 3, KW: 3, PH: 1, PW: 1},
	{C: 90, H: 57, W: 57, O: 90, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 90},
	{C: 90, H: 57, W: 58, O: 90, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 90},
	{C: 64, H: 30, W: 30, O: 64, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 16},
	{C: 2, H: 240, W: 9, O: 3, KH: 11, KW: 3, PH: 5, PW: 1, SH: 4, SW: 3},
}

// TestConvLarge compares every level with the generic code. Errors are relative to the size of the results.
func TestConvLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("large convolutions")
	}
	for _, g := range largeConvs {
		s := benchSpec(g, true)
		rng := newRand(11)
		x, residual, dy := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen()),
			randSlice[float32](rng, g.OutLen())
		var y []float32
		results := perLevel(t, func() []float32 {
			var mem arena
			defer mem.free()
			c, err := NewConv(s)
			require.NoError(t, err)
			scratch := guarded(&mem, nans[float32](c.ScratchLen()))
			out := guarded(&mem, make([]float32, g.OutLen()))
			c.Forward(out, x, residual, scratch)
			if y == nil {
				y = append(y, out...)
			}
			dx, dw := guarded(&mem, make([]float32, g.InLen())), guarded(&mem, make([]float32, g.WeightLen()))
			c.BackwardInput(dx, dy, x, y, nil, nil, scratch)
			ConvBackwardWeight(g, dw, nil, x, dy, 1, 0, 0,
				guarded(&mem, nans[float32](ConvBackwardWeightScratch(g, 1))))
			return append(append(append([]float32(nil), out...), dx...), dw...)
		})
		for l, got := range results[1:] {
			at := 0
			for _, part := range []struct {
				name string
				n    int
			}{{"output", g.OutLen()}, {"input gradient", g.InLen()}, {"weight gradient", g.WeightLen()}} {
				var diff, size float64
				for i, want := range results[0][at:][:part.n] {
					d := float64(want) - float64(got[at+i])
					diff, size = diff+d*d, size+float64(want)*float64(want)
				}
				at += part.n
				if rel := math.Sqrt(diff / size); !(rel < 3e-6) {
					t.Errorf("%s %s of %+v: relative difference %v", Levels()[l+1], part.name, g, rel)
				}
			}
			if l > 0 {
				require.Equal(t, results[1], got, "bits of %+v", g)
			}
		}
	}
}
