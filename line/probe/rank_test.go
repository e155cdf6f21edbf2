package probe

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRankOfAnySize: the result scales with the map, from the smallest float32 to the largest. For a map that is not
// finite the result is not finite.
func TestRankOfAnySize(t *testing.T) {
	const channels, pixels = 5, 9
	rng := rand.New(rand.NewPCG(1, 1))
	m := make([]float32, channels*pixels)
	for i := range m {
		m[i] = float32(1 + rng.IntN(100))
	}
	scaled := func(scale float64) []float32 {
		out := make([]float32, len(m))
		for i, v := range m {
			out[i] = float32(float64(v) * scale)
		}
		return out
	}
	want := withoutFirst(m, channels, pixels)
	for _, scale := range []float64{0x1p-149, 0x1p-140, 0x1p-100, 0x1p60, 0x1p121} {
		for d, z := range withoutFirst(scaled(scale), channels, pixels) {
			require.InDelta(t, want[d], z/scale, 1e-9, "%g", scale)
		}
	}
	for _, scale := range []float64{math.NaN(), math.Inf(1)} {
		for _, z := range withoutFirst(scaled(scale), channels, pixels) {
			require.True(t, math.IsNaN(z), "%v: %v", scale, z)
		}
	}
}
