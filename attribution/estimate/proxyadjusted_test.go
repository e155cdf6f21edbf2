package estimate

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/racetest"
)

// manyLargePlayers is a game of enough neurons for a polynomial of three factors.
func manyLargePlayers(t *testing.T, v attribution.Value) attribution.Game {
	net := randomNetwork(4, 10, 3)
	for i := range net.z {
		net.z[i] += 0.4
	}
	return net.game(t, games.PenultimateOptions{Value: v})
}

// misleading is a game whose gradients are those of another.
type misleading struct {
	attribution.Game
	other attribution.Differentiable
}

func (m misleading) Gradients(ctx context.Context, alpha, values, grads []float64) error {
	if err := m.other.Gradients(ctx, alpha, values, grads); err != nil {
		return err
	}
	s := attribution.NewCoalition(m.Players())
	for r := range values { // the game's own values at the ends, the other's elsewhere
		s.Clear()
		for i, a := range alpha[r*m.Players():][:m.Players()] {
			if a == 1 {
				s.Add(i)
			}
		}
		if s.Size() == 0 || s.Size() == m.Players() {
			batch := attribution.NewCoalitions(m.Players(), 1)
			copy(batch.Row(0), s)
			if err := m.Values(ctx, batch, values[r:r+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// The mean over 2,000 seeds is the truth, standard errors are honest and intervals cover, also where the gradients are
// those of another game.
func TestProxyAdjustedIsUnbiasedWithHonestIntervals(t *testing.T) {
	racetest.OneGoroutine(t)
	energy := manyLargePlayers(t, attribution.LogSumExp)
	probability := manyLargePlayers(t, attribution.Probability)
	for name, g := range map[string]attribution.Game{
		"log-sum-exp": energy, "probability": probability,
		"misleading": misleading{randomTable(10, 4), energy.(attribution.Differentiable)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			truth := exactly(t, g)
			runSeeds(t, ProxyAdjusted{}, g, truth, attribution.Options{Samples: 120}).check(t, truth, true)
		})
	}
}

// The proxy takes most of the variance off.
func TestProxyAdjustedGainsByItsProxy(t *testing.T) {
	g := manyLargePlayers(t, attribution.LogSumExp)
	truth := exactly(t, g)
	var own, without float64
	for seed := range uint64(20) {
		e, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{Budget: 3000, Seed: seed})
		require.NoError(t, err)
		own += meanSquaredError(truth, e.Values)
		assert.InDelta(t, 0, e.Residual, 1e-9)
		assert.LessOrEqual(t, e.Equivalents, 3000.0)
		assert.Greater(t, e.Equivalents, 2900.0)
		e, err = KernelSHAP{Paired: true, Unbiased: true}.Estimate(background, g,
			attribution.Options{Budget: 3000, Seed: seed})
		require.NoError(t, err)
		without += meanSquaredError(truth, e.Values)
	}
	t.Logf("error %.3f of that of the kernel's unbiased form", math.Sqrt(own/without))
	assert.Less(t, own, without/25)
}

// Linear games are exact, a single player and no gradients are as elsewhere, and workers change nothing.
func TestProxyAdjustedEdges(t *testing.T) {
	for _, n := range []int{1, 2, 3, 70} {
		g := randomNetwork(3, n, 8).game(t, games.PenultimateOptions{})
		want, err := ClosedForm{}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		got, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{Samples: 24})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want.Values, got.Values, 1e-9, "%d players", n)
	}
	_, err := ProxyAdjusted{}.Estimate(background, randomTable(4, 1), attribution.Options{Budget: 500})
	assert.ErrorIs(t, err, attribution.ErrNotDifferentiable)
	g := manyLargePlayers(t, attribution.Probability)
	_, err = ProxyAdjusted{}.Estimate(background, g, attribution.Options{Budget: 60})
	assert.ErrorIs(t, err, attribution.ErrBudget)
	one, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{Samples: 700, Workers: 1})
	require.NoError(t, err)
	five, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{Samples: 700, Workers: 5})
	require.NoError(t, err)
	assert.Equal(t, one.Values, five.Values)
	assert.Equal(t, one.StdErr, five.StdErr)
	to, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{TargetStdErr: one.MaxStdErr() / 2})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopTarget, to.Stopped)
	f, err := Predict(background, ProxyAdjusted{}, g, attribution.Options{Budget: 4000}, 0)
	require.NoError(t, err)
	spent, err := ProxyAdjusted{}.Estimate(background, g, attribution.Options{Budget: 4000})
	require.NoError(t, err)
	assert.InDelta(t, spent.Samples, f.Samples, 0.05*float64(spent.Samples))
}
