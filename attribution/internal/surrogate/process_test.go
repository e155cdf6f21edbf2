package surrogate

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
)

// enumerated returns the Shapley values of a game of few players by their definition: the mean of marginal
// contributions over coalitions of the others, all sizes weighted equally.
func enumerated(players int, v func(s uint64) float64) []float64 {
	out := make([]float64, players)
	for s := range uint64(1) << players {
		size := 0
		for i := range players {
			size += int(s >> i & 1)
		}
		for i := range players {
			if s>>i&1 != 0 {
				continue
			}
			subsets := math.Exp(lgamma(players-1) - lgamma(size) - lgamma(players-1-size))
			out[i] += (v(s|1<<i) - v(s)) / subsets / float64(players)
		}
	}
	return out
}

func lgamma(n int) float64 {
	v, _ := math.Lgamma(float64(n + 1))
	return v
}

func coalitionOf(s uint64, players int) attribution.Coalition {
	c := attribution.NewCoalition(players)
	for i := range players {
		if s>>i&1 != 0 {
			c.Add(i)
		}
	}
	return c
}

// testKernel is a covariance over seven players whose scales differ much.
func testKernel() diffusion {
	return diffusion{scales: []float64{0.9, 0.02, 0.3, 1.4, 0.001, 0.5, 0.2}, linear: 2.5}
}

// The Shapley values of covariances, and their prior variances, are those of enumerated games.
func TestDiffusionShapleyMatchesEnumeration(t *testing.T) {
	ctx, k := context.Background(), testKernel()
	n := len(k.scales)
	covariance := func(a, b uint64) float64 {
		x := 0.0
		for i, s := range k.scales {
			if (a^b)>>i&1 != 0 {
				s = -s
			}
			x += s
		}
		return k.of(x)
	}
	for _, at := range []uint64{0, 0b1011001, 0b0100110} {
		want := enumerated(n, func(s uint64) float64 { return covariance(s, at) })
		got, err := k.shapley(ctx, signs([]attribution.Coalition{coalitionOf(at, n)}, n), 1)
		require.NoError(t, err)
		assert.InDeltaSlice(t, want, got, 1e-10)
	}
	variance := k.variance()
	for i := range n {
		// The variance is the Shapley value of player i in the game whose value is the Shapley value of player i.
		twice := enumerated(n, func(at uint64) float64 {
			return enumerated(n, func(s uint64) float64 { return covariance(s, at) })[i]
		})[i]
		assert.InDelta(t, twice, variance[i], 1e-10*twice, "player %d", i)
	}
}

// The gradient of the likelihood agrees with finite differences.
func TestLikelihoodGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	k := testKernel()
	n := len(k.scales)
	var rows []attribution.Coalition
	d := processData{}
	for range 20 {
		rows = append(rows, coalitionOf(rng.Uint64()&(1<<n-1), n))
		d.y = append(d.y, rng.NormFloat64())
	}
	d.signs = signs(rows, n)
	l := &likelihood{ctx: context.Background(), data: d, workers: 1}
	x := make([]float64, n+1)
	for i, s := range k.scales {
		x[i] = math.Log(s)
	}
	x[n] = math.Log(k.linear)
	_, gradient := l.at(x)
	require.NoError(t, l.failed)
	for i := range x {
		const h = 1e-5
		at := x[i]
		x[i] = at + h
		up, _ := l.at(x)
		x[i] = at - h
		down, _ := l.at(x)
		x[i] = at
		assert.InDelta(t, (up-down)/(2*h), gradient[i], 1e-5*(1+math.Abs(gradient[i])), "parameter %d", i)
	}
	x[0] = 10 // scales so large that covariances are those of noise
	value, _ := l.at(x)
	assert.Equal(t, math.Inf(1), value)
}

// A process that has seen some values of a game of few important players predicts its other values. For a game
// without an odd part all its values are zero.
func TestProcessPredicts(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(4, 2))
	const n = 12
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = rng.NormFloat64() / (1 + float64(i))
	}
	odd := func(s uint64) float64 {
		x := 0.0
		for i, w := range weights {
			if s>>i&1 == 0 {
				w = -w
			}
			x += w
		}
		return math.Tanh(x / 2)
	}
	draw := func(count int) (rows []attribution.Coalition, y []float64) {
		for range count {
			s := rng.Uint64() & (1<<n - 1)
			rows, y = append(rows, coalitionOf(s, n)), append(y, odd(s))
		}
		return rows, y
	}
	rows, y := draw(300)
	typical := make([]float64, n)
	for i, w := range weights {
		typical[i] = math.Abs(w)
	}
	p, err := NewProcess(ctx, rows, y, 2*odd(1<<n-1), typical, 1)
	require.NoError(t, err)
	others, want := draw(600) // more than one block
	got, err := p.At(ctx, others, 1)
	require.NoError(t, err)
	for r, v := range want {
		assert.InDelta(t, v, got[r], 0.05)
	}
	truth := enumerated(n, odd)
	values, variance, err := p.Shapley(ctx, 1)
	require.NoError(t, err)
	for i, v := range truth {
		assert.InDelta(t, v, values[i], 0.01)
		assert.Less(t, math.Abs(v-values[i]), 5*math.Sqrt(variance[i])+1e-4, "player %d", i)
	}
	again, err := NewProcess(ctx, rows, y, 2*odd(1<<n-1), typical, 3)
	require.NoError(t, err)
	same, _, err := again.Shapley(ctx, 2)
	require.NoError(t, err)
	assert.Equal(t, values, same)

	p, err = NewProcess(ctx, rows, make([]float64, len(rows)), 0, make([]float64, n), 1)
	require.NoError(t, err)
	values, variance, err = p.Shapley(ctx, 1)
	require.NoError(t, err)
	assert.Equal(t, make([]float64, n), values)
	assert.Equal(t, make([]float64, n), variance)
}
