package games

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/nets"
)

// backgroundRows are rows of activations to resample from.
func backgroundRows(rows, neurons int) [][]float64 {
	r := rand.New(rand.NewPCG(11, 1))
	out := make([][]float64, rows)
	for i := range out {
		for range neurons {
			out[i] = append(out[i], max(0, r.NormFloat64()))
		}
	}
	return out
}

// layerSize is the number of neurons of a layer of randomNet.
func layerSize(t testing.TB, layer string) int {
	t.Helper()
	l, err := NewLayer(randomNet(t), LayerOptions{Layer: layer})
	require.NoError(t, err)
	return l.Players()
}

// TestResampledLayerGameIsTheMeanOfItsRows: the members are the games of single background rows, bit for bit,
// whichever method computes them.
func TestResampledLayerGameIsTheMeanOfItsRows(t *testing.T) {
	const layer, rows = "trans2", 5
	background0 := backgroundRows(rows, layerSize(t, layer))
	for _, o := range []graph.Options{{}, {Batch: 1, Workers: 1}, {Batch: 7, Workers: 3}} {
		opt := LayerOptions{Layer: layer, Channels: true, Value: attribution.LogSumExp, Graph: o}
		opt.Removal = attribution.RemoveByResampling(background0)
		g := layerGames(t, opt, 2)[1].(*LayerGame)
		require.Equal(t, rows, g.Members())
		var members []attribution.Game
		for m := range rows {
			opt.Removal = attribution.RemoveTo(background0[m])
			members = append(members, layerGames(t, opt, 2)[1])
		}
		mean, err := NewMean(members...)
		require.NoError(t, err)
		assert.InDelta(t, mean.ForwardsPerValue(), g.ForwardsPerValue(), 1e-12)
		assert.InDelta(t, members[0].(attribution.Costed).ForwardsPerValue(),
			g.Member(3).(attribution.Costed).ForwardsPerValue(), 0)

		n := g.Players()
		s := randomCoalitions(n, 150)
		which := make([]int, s.Len())
		r := rand.New(rand.NewPCG(3, 1))
		alpha := make([]float64, 9*n)
		for i := range which {
			which[i] = r.IntN(rows)
		}
		for i := range alpha {
			alpha[i] = r.Float64()
		}
		got, want := make([]float64, s.Len()), make([]float64, s.Len())
		same := func(what string, of func(g attribution.Sampled, dst []float64) error) {
			t.Helper()
			require.NoError(t, of(g, got))
			require.NoError(t, of(mean, want))
			require.Equal(t, want, got, what)
			require.NotEqual(t, got[2], got[3], what)
		}
		same("all rows", func(g attribution.Sampled, dst []float64) error { return g.Values(background, s, dst) })
		same("one coalition", func(g attribution.Sampled, dst []float64) error {
			return g.Values(background, s.Slice(3, 4), dst[3:4])
		})
		same("drawn rows", func(g attribution.Sampled, dst []float64) error {
			return g.MemberValues(background, which, s, dst)
		})
		for m := range rows {
			same("a row", func(g attribution.Sampled, dst []float64) error {
				return g.Member(m).Values(background, s, dst)
			})
		}
		values, grads := make([]float64, 2*9), make([]float64, 2*9*n)
		require.NoError(t, g.Gradients(background, alpha, values[:9], grads[:9*n]))
		require.NoError(t, mean.Gradients(background, alpha, values[9:], grads[9*n:]))
		require.Equal(t, values[9:], values[:9])
		require.Equal(t, grads[9*n:], grads[:9*n])
		require.NoError(t, g.MemberGradients(background, which[:9], alpha, values[:9], grads[:9*n]))
		for i, m := range which[:9] {
			member := mean.Member(m).(attribution.Differentiable)
			require.NoError(t, member.Gradients(background, alpha[i*n:][:n], values[9+i:][:1], grads[(9+i)*n:][:n]))
		}
		require.Equal(t, values[9:], values[:9])
		require.Equal(t, grads[9*n:], grads[:9*n])
	}
}

// TestLayerGameDrawsRowsAsThePenultimateGame: with the same seed both games draw the same background rows and
// coalitions.
func TestLayerGameDrawsRowsAsThePenultimateGame(t *testing.T) {
	net := randomNet(t)
	head, err := NewReadout(nets.HeadOf(net))
	require.NoError(t, err)
	prog, err := graph.Compile(net, graph.Options{Fetch: []string{"features"}})
	require.NoError(t, err)
	var z []float64
	for out, err := range prog.Run(background, randomImages(1)) {
		require.NoError(t, err)
		z = mathx.Float64s(out.Float32("features"))
	}
	removal := attribution.RemoveByResampling(backgroundRows(6, len(z)))
	g := layerGames(t, LayerOptions{Layer: "features", Value: attribution.LogProbability, Removal: removal}, 1)[0]
	ref, err := NewPenultimate(head, z, -1, PenultimateOptions{Value: attribution.LogProbability, Removal: removal})
	require.NoError(t, err)
	for _, e := range []attribution.Estimator{estimate.Permutation{}, estimate.KernelSHAP{},
		estimate.ExpectedGradients{}, estimate.SVARM{}} {
		got, err := e.Estimate(background, g, attribution.Options{Samples: 60, Seed: 3})
		require.NoError(t, err, e.Name())
		want, err := e.Estimate(background, ref, attribution.Options{Samples: 60, Seed: 3})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want.Values, got.Values, 1e-5, e.Name())
		assert.InDeltaSlice(t, want.StdErr, got.StdErr, 1e-5, e.Name())
	}
}

// TestLayerGameRemovesToItsClass: each game replaces removed neurons by the mean of its own class.
func TestLayerGameRemovesToItsClass(t *testing.T) {
	means := backgroundRows(5, layerSize(t, "block3"))
	opt := LayerOptions{Layer: "block3", Channels: true, Target: attribution.TargetLabel(),
		Removal: attribution.RemoveToClassMean(means)}
	games := layerGames(t, opt, 4)
	s := randomCoalitions(games[0].Players(), 20)
	got, want := make([]float64, s.Len()), make([]float64, s.Len())
	for i, g := range games {
		require.Equal(t, i, g.(*LayerGame).Class())
		require.Equal(t, 1, g.(*LayerGame).Members())
		opt.Removal = attribution.RemoveTo(means[i])
		require.NoError(t, g.Values(background, s, got))
		require.NoError(t, layerGames(t, opt, 4)[i].Values(background, s, want))
		require.Equal(t, want, got)
	}
}

// TestEstimatesOfLayerGames: estimates have the same bits for any number of workers, and a cancelled run keeps what
// was computed.
func TestEstimatesOfLayerGames(t *testing.T) {
	removal := attribution.RemoveByResampling(backgroundRows(3, layerSize(t, "trans2")))
	for name, opt := range map[string]LayerOptions{
		"zero":     {Layer: "trans2", Channels: true, Value: attribution.LogSumExp},
		"resample": {Layer: "trans2", Channels: true, Value: attribution.LogSumExp, Removal: removal},
	} {
		g := layerGames(t, opt, 1)[0].(*LayerGame)
		for _, e := range []attribution.Estimator{estimate.Permutation{}, estimate.KernelSHAP{Paired: true},
			estimate.SVARM{}, estimate.ExpectedGradients{}, estimate.TopK{K: 3}} {
			one, err := e.Estimate(background, g, attribution.Options{Samples: 40, Seed: 5, Workers: 1})
			require.NoError(t, err, e.Name())
			three, err := e.Estimate(background, g, attribution.Options{Samples: 40, Seed: 5, Workers: 3})
			require.NoError(t, err)
			assert.Equal(t, withoutTime(one), withoutTime(three), "%s, %s", e.Name(), name)
		}
		ctx, cancel := context.WithCancel(background)
		seen := 0
		est, err := estimate.Permutation{}.Estimate(ctx, g, attribution.Options{Samples: 100000, Seed: 5,
			Progress: func(done, _ int) {
				if seen = done; done > 30 {
					cancel()
				}
			}})
		cancel()
		require.ErrorIs(t, err, context.Canceled)
		require.GreaterOrEqual(t, est.Samples, seen)
		want, err := estimate.Permutation{}.Estimate(background, g, attribution.Options{Samples: est.Samples, Seed: 5})
		require.NoError(t, err)
		assert.Equal(t, want.Values, est.Values)
		assert.Equal(t, want.StdErr, est.StdErr)
	}
}

func TestLayerGameRefusals(t *testing.T) {
	removal := attribution.RemoveByResampling(backgroundRows(2, layerSize(t, "features")))
	g := layerGames(t, LayerOptions{Layer: "features", Removal: removal}, 1)[0].(*LayerGame)
	n := g.Players()
	s, dst := attribution.NewCoalitions(n, 2), make([]float64, 2)
	for want, err := range map[string]error{
		"1 members for 2 coalitions":        g.MemberValues(background, []int{0}, s, dst),
		"member 2 of row 1, the game has 2": g.MemberValues(background, []int{0, 2}, s, dst),
		"member -1 of row 0, the game has 2": g.MemberGradients(background, []int{-1}, make([]float64, n),
			dst[:1], make([]float64, n)),
		"1 values for 2 coalitions":                 g.Values(background, s, dst[:1]),
		"2 coordinates and 2 gradients for 1 point": g.Gradients(background, dst, dst[:1], dst),
	} {
		require.ErrorContains(t, err, want)
	}
}
