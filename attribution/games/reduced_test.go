package games

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

// TestReducedGameHasTheLayersValues compares values of coalitions, costs, names and class.
func TestReducedGameHasTheLayersValues(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(3, 1))
	for name, removal := range map[string]attribution.Removal{"zero": attribution.RemoveToZero(),
		"rows": attribution.RemoveByResampling(backgroundRows(3, layerSize(t, "block3")))} {
		for v := attribution.Logit; v <= attribution.Margin; v++ {
			g := lastBlock(t, removal, v, true)
			reduced := attribution.Reduced(g)
			require.NotSame(t, g, reduced)
			require.False(t, attribution.IsKinked(reduced))
			require.InDelta(t, attribution.ForwardsPerValue(g), attribution.ForwardsPerValue(reduced), 1e-15)
			require.InDelta(t, attribution.ForwardsPerGradient(g), attribution.ForwardsPerGradient(reduced), 1e-15)
			require.Equal(t, attribution.PlayerNames(g), attribution.PlayerNames(reduced))
			n := g.Players()
			s := attribution.NewCoalitions(n, 9)
			s.Row(1).Fill(n)
			for r := 2; r < s.Len(); r++ {
				for p := range n {
					if rng.IntN(2) == 0 {
						s.Row(r).Add(p)
					}
				}
			}
			want, got := make([]float64, s.Len()), make([]float64, s.Len())
			require.NoError(t, g.Values(ctx, s, want))
			require.NoError(t, reduced.Values(ctx, s, got))
			require.InDeltaSlice(t, want, got, 2e-5, "%s, %v", name, v)
		}
	}
}

// TestGamesWithoutASimplerForm stay what they are: a layer whose players interact, and a mean with such a member.
func TestGamesWithoutASimplerForm(t *testing.T) {
	interacting := layerGames(t, LayerOptions{Layer: "trans2", Channels: true}, 1)[0]
	require.Same(t, interacting, attribution.Reduced(interacting))
	additive := lastBlock(t, attribution.RemoveToZero(), attribution.LogSumExp, true)
	mean, err := NewMean(additive, additive)
	require.NoError(t, err)
	require.NotSame(t, mean, attribution.Reduced(mean))
	require.InDelta(t, mean.ForwardsPerValue(), attribution.ForwardsPerValue(attribution.Reduced(mean)), 1e-15)
	require.NotNil(t, attribution.NewWalker(attribution.Reduced(mean)))
	n := additive.Players()
	for _, other := range []attribution.Game{plain{additive}, layerOf(t, "trans2", n)} {
		mean, err := NewMean(additive, other)
		require.NoError(t, err)
		require.Same(t, mean, attribution.Reduced(mean))
	}
}

// layerOf is a game of n groups of neurons of a layer.
func layerOf(t *testing.T, layer string, n int) attribution.Game {
	t.Helper()
	groups := make([][]int, n)
	for i := range layerSize(t, layer) {
		groups[i%n] = append(groups[i%n], i)
	}
	return layerGames(t, LayerOptions{Layer: layer, Groups: groups}, 1)[0]
}

// TestGradientsOfAnAdditiveLayer compares estimates from gradients with all coalitions of seven groups.
func TestGradientsOfAnAdditiveLayer(t *testing.T) {
	ctx := context.Background()
	for _, v := range []attribution.Value{attribution.LogSumExp, attribution.Probability} {
		g := lastBlock(t, attribution.RemoveToZero(), v, false)
		want := exactly(t, plain{g})
		largest := 0.0
		for _, w := range want {
			largest = max(largest, w, -w)
		}
		for _, e := range []attribution.Estimator{estimate.CoalitionGradients{Unbiased: true},
			estimate.ProxyAdjusted{}} {
			got, err := e.Estimate(ctx, g, attribution.Options{Samples: 600, Seed: 5})
			require.NoError(t, err)
			for i := range want {
				require.InDelta(t, want[i], got.Values[i], 0.01*largest, "%s, %v, player %d", e.Name(), v, i)
			}
		}
	}
}

// TestRecommendedOnAnAdditiveLayer is what it is on penultimate neurons, and forecast so.
func TestRecommendedOnAnAdditiveLayer(t *testing.T) {
	ctx := context.Background()
	g := layerGames(t, LayerOptions{Layer: "block3", Value: attribution.LogSumExp}, 1)[0]
	require.Greater(t, g.Players(), 64)
	forwards := attribution.ForwardsPerValue(g)
	for values, method := range map[float64]string{1000: "coalition-gradients", 100: "integrated-gradients-trapezoid",
		4: "gradient-activation"} {
		opt := attribution.Options{Budget: values * forwards}
		require.Equal(t, method, estimate.Choose(g, opt).Name())
		got, err := estimate.Recommended{}.Estimate(ctx, g, opt)
		require.NoError(t, err)
		require.Equal(t, method, got.Method)
		forecast, err := estimate.Predict(ctx, estimate.Recommended{}, g, opt, 8)
		require.NoError(t, err)
		require.InEpsilon(t, got.Equivalents, forecast.Equivalents, 0.1)
		require.LessOrEqual(t, got.Equivalents, opt.Budget)
	}
}
