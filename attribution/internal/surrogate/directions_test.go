package surrogate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
)

// varied returns gradients that vary in two directions, with a little noise, times a scale.
func varied(scale float64) Data {
	const players, n = 6, 20
	rng := rand.New(rand.NewPCG(1, 1))
	d := Data{Players: players}
	for range n {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		g := make([]float64, players)
		for i := range g {
			g[i] = scale * (a*float64(i) + b*float64(i%2) + 1e-3*rng.NormFloat64())
		}
		d.Coalitions = append(d.Coalitions, attribution.NewCoalition(players))
		d.Gradients = append(d.Gradients, g)
		d.Weights = append(d.Weights, 1)
	}
	return d
}

// TestDirectionsOfAnySize: directions do not depend on the unit of a game, from numbers whose squares underflow to
// zero up to numbers whose squares overflow. Gradients that do not vary, or are not finite, have no directions.
func TestDirectionsOfAnySize(t *testing.T) {
	mean := make([]float64, 6)
	want, r := directions(varied(1), mean, 2)
	require.Equal(t, 2, r)
	for _, exponent := range []int{-1060, -1000, -520, -498, -100, 100, 500, 600, 1000} {
		got, r := directions(varied(math.Ldexp(1, exponent)), mean, 2)
		require.Equal(t, 2, r, "2^%d", exponent)
		for i, v := range want { // the smallest (denormal) numbers have few digits
			require.InDelta(t, v, got[i], map[bool]float64{true: 1e-2}[exponent < -1022], "2^%d", exponent)
		}
	}
	for _, scale := range []float64{0, math.NaN(), math.Inf(1)} {
		_, r := directions(varied(scale), mean, 2)
		require.Zero(t, r, "%v", scale)
	}
}
