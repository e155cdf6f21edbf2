package games

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// lastBlock is games on a layer whose neurons are normalised, rectified and averaged one by one before the head.
func lastBlock(t *testing.T, removal attribution.Removal, value attribution.Value, channels bool) *LayerGame {
	t.Helper()
	opt := LayerOptions{Layer: "block3", Channels: channels, Value: value, Removal: removal,
		Target: attribution.TargetClass(3)}
	if !channels { // seven groups that cut channels in two, and neurons that are always present
		size := layerSize(t, "block3")
		opt.Groups = make([][]int, 7)
		for i := range size - 5 {
			g := i * 7 / size
			opt.Groups[g] = append(opt.Groups[g], i)
		}
	}
	return layerGames(t, opt, 2)[1].(*LayerGame)
}

// TestWalkersOfAnAdditiveLayer compares the walkers' steps with values that the graph computes.
func TestWalkersOfAnAdditiveLayer(t *testing.T) {
	size := layerSize(t, "block3")
	for name, removal := range map[string]attribution.Removal{
		"zero": attribution.RemoveToZero(), "rows": attribution.RemoveByResampling(backgroundRows(3, size))} {
		for v := attribution.Logit; v <= attribution.Margin; v++ {
			for _, channels := range []bool{true, false} {
				g := lastBlock(t, removal, v, channels)
				n := g.Players()
				w := attribution.NewWalker(g)
				require.NotNil(t, w)
				s := attribution.NewCoalitions(n, n+1)
				order := make([]int, n)
				for i := range order {
					order[i] = (5*i + 2) % n
					for r := i + 1; r <= n; r++ {
						s.Row(r).Add(order[i])
					}
				}
				values, steps := make([]float64, n+1), make([]float64, n)
				require.NoError(t, g.Values(context.Background(), s, values))
				w.Marginals(order, steps)
				for i, p := range order {
					require.InDelta(t, values[i+1]-values[i], steps[p], 2e-5, "%s, %v, player %d", name, v, p)
				}
				w.Toggles(s.Row(2), order[2:3], steps)
				require.InDelta(t, values[3]-values[2], steps[0], 2e-5, "%s, %v", name, v)
			}
		}
	}
}

// TestLogitOfAnAdditiveLayerHasAClosedForm compares it with all coalitions of seven groups.
func TestLogitOfAnAdditiveLayerHasAClosedForm(t *testing.T) {
	for _, removal := range []attribution.Removal{attribution.RemoveToZero(),
		attribution.RemoveByResampling(backgroundRows(3, layerSize(t, "block3")))} {
		g := lastBlock(t, removal, attribution.Logit, false)
		got, err := estimate.ClosedForm{}.Estimate(context.Background(), g, attribution.Options{})
		require.NoError(t, err)
		for i, want := range exactly(t, plain{g}) {
			require.InDelta(t, want, got.Values[i], 1e-5)
			require.Greater(t, math.Abs(want), 1e-3)
		}
		require.Equal(t, estimate.ClosedForm{}, estimate.Choose(g, attribution.Options{}))

		_, err = estimate.ClosedForm{}.Estimate(context.Background(),
			lastBlock(t, removal, attribution.LogSumExp, false), attribution.Options{})
		require.ErrorIs(t, err, attribution.ErrNotLinear)
	}
}

// TestPlayersThatInteractHaveNoParts holds a layer with rectifiers behind sums, values from elsewhere than the logits,
// and more players than are tried.
func TestPlayersThatInteractHaveNoParts(t *testing.T) {
	games := layerGames(t, LayerOptions{Layer: "trans2", Channels: true}, 2)
	for _, g := range games {
		require.Nil(t, attribution.NewWalker(g))
		require.False(t, g.(attribution.Linear).Shapley(make([]float64, g.Players())))
	}
	require.True(t, games[1].(*LayerGame).l.interacts.Load())
	l, err := NewLayer(scored{randomNet(t)}, LayerOptions{Layer: "block3", Channels: true, Output: "score"})
	require.NoError(t, err)
	for g, err := range l.Games(context.Background(), randomImages(1)) {
		require.NoError(t, err)
		require.Nil(t, attribution.NewWalker(g))
	}
	require.Nil(t, attribution.NewWalker((&LayerGame{})))
	mean, err := NewMean(games...)
	require.NoError(t, err)
	require.Nil(t, attribution.NewWalker(mean))
	many := lastBlock(t, attribution.RemoveToZero(), attribution.Logit, true)
	many.members = mostAdditiveRows
	require.Nil(t, attribution.NewWalker(many))
}

// TestSumsThatAreOffAreSeen takes logits of coalitions that are sums but for a small interaction, or not finite.
func TestSumsThatAreOffAreSeen(t *testing.T) {
	parts := &PenultimateGame{base: []float64{1, -2}, weights: []float64{3, 0.5, -1, 4}, delta: []float64{1, 1}}
	s := attribution.NewCoalitions(2, 4)
	s.Row(1).Add(0)
	s.Row(1).Add(1)
	s.Row(2).Add(0)
	s.Row(3).Add(1)
	logits := []float64{1, -2, 3, 2.5, 4, -1.5, 0, 2}
	require.True(t, complementary(logits, 2))
	require.True(t, parts.sums(s, logits))
	for _, off := range []float64{1e-3, -1e-3, math.NaN(), math.Inf(1)} {
		wrong := append([]float64(nil), logits...)
		wrong[7] += off
		require.False(t, complementary(wrong, 2), off)
		require.False(t, parts.sums(s, wrong), off)
	}
}

// TestMembersOfAnAdditiveLayer have walkers of their own.
func TestMembersOfAnAdditiveLayer(t *testing.T) {
	g := lastBlock(t, attribution.RemoveByResampling(backgroundRows(2, layerSize(t, "block3"))), attribution.LogSumExp,
		true)
	order := make([]int, g.Players())
	for i := range order {
		order[i] = i
	}
	mean, one := make([]float64, len(order)), make([]float64, len(order))
	attribution.NewWalker(g).Marginals(order, mean)
	for m := range 2 {
		attribution.NewWalker(g.Member(m)).Marginals(order, one)
		for i := range one {
			mean[i] -= one[i] / 2
		}
	}
	for i := range mean {
		require.InDelta(t, 0, mean[i], 1e-12)
	}
}

// scored is a network with a value of its own.
type scored struct{ *nets.Network }

func (s scored) Build(b *graph.Builder, x *G.Node) error {
	if err := s.Network.Build(b, x); err != nil {
		return err
	}
	logits, err := b.Node(graph.Logits)
	if err != nil {
		return err
	}
	b.Tap("score", b.Do(func() (*G.Node, error) { return graph.LogSumExp(logits) }))
	return b.Err()
}
