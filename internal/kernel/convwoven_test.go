package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// propStridedBack compares the input gradient of a convolution of stride two on an even size at all levels. Every level
// interleaves the gradients of even and odd rows and columns in its own way.
func propStridedBack(t *rapid.T) {
	k := rapid.SampledFrom([]int{1, 2, 3, 5}).Draw(t, "kernel")
	g := ConvGeom{
		C: rapid.IntRange(1, 9).Draw(t, "C"), O: rapid.IntRange(1, 20).Draw(t, "O"),
		H: 2 * rapid.IntRange(1, 7).Draw(t, "H/2"), W: 2 * rapid.IntRange(1, 40).Draw(t, "W/2"),
		KH: k, KW: k, SH: 2, SW: 2, PH: k / 2, PW: k / 2,
	}
	if g.Check() != nil {
		t.Skip("the kernel does not fit")
	}
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
	x, dy, values := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen()),
		randSlice[float32](rng, g.InLen())
	adds := rapid.SampledFrom([]string{"", "dx", "other"}).Draw(t, "plus")
	results := perLevel(t, func() []float32 {
		var mem arena
		defer mem.free()
		c, err := NewConv(s)
		require.NoError(t, err)
		dx, plus := guarded(&mem, values), []float32(nil)
		switch adds {
		case "dx":
			plus = dx
		case "other":
			dx, plus = guarded(&mem, nans[float32](len(dx))), dx
		}
		c.BackwardInput(dx, guarded(&mem, dy), x, nil, nil, plus, guarded(&mem, nans[float32](c.ScratchLen())))
		return append([]float32(nil), dx...)
	})
	for l, got := range results[1:] {
		for i, want := range results[0] {
			if !(math.Abs(float64(want-got[i])) <= 1e-4) {
				t.Fatalf("%s gradient %d of %+v: want %v, got %v", Levels()[l+1], i, g, want, got[i])
			}
		}
		require.Equal(t, results[1], got, "bits of %+v", g)
	}
}

func TestStridedBack(t *testing.T) { rapid.Check(t, propStridedBack) }
