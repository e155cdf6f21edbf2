package games

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/nets"
)

// randomNet is a small network with random weights.
func randomNet(t testing.TB) *nets.Network {
	t.Helper()
	net, err := nets.New("densenet-bc-10-4", 5)
	require.NoError(t, err)
	draw(net)
	return net
}

// draw gives a network random weights that keep activations of order one.
func draw(net *nets.Network) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, p := range net.Params() {
		s := p.Shape()
		fan := 1
		for _, v := range s[1:] {
			fan *= v
		}
		for i := range p.Float32s() {
			v := rng.NormFloat64()
			switch {
			case len(s) > 1:
				v *= math.Sqrt(2 / float64(fan))
			case strings.HasSuffix(p.Name, "running_var"):
				v = 1 + 0.5*v*v
			case strings.HasSuffix(p.Name, ".weight"):
				v = 1 + 0.1*v
			default:
				v *= 0.1
			}
			p.Float32s()[i] = float32(v)
		}
	}
}

func randomImages(n int) graph.Batches {
	rng := rand.New(rand.NewPCG(9, 1))
	b := graph.Batch{N: n}
	for i := range n {
		for range 3 * 32 * 32 {
			b.X = append(b.X, float32(rng.NormFloat64()))
		}
		b.Labels = append(b.Labels, i%5)
	}
	return func(yield func(graph.Batch, error) bool) { yield(b, nil) }
}

func layerGames(t testing.TB, opt LayerOptions, images int) []attribution.Game {
	t.Helper()
	l, err := NewLayer(randomNet(t), opt)
	require.NoError(t, err)
	var games []attribution.Game
	for g, err := range l.Games(context.Background(), randomImages(images)) {
		require.NoError(t, err)
		games = append(games, g)
	}
	require.Len(t, games, images)
	return games
}

// randomCoalitions includes the empty and the grand coalition.
func randomCoalitions(players, rows int) attribution.Coalitions {
	s := attribution.NewCoalitions(players, rows)
	rng := rand.New(rand.NewPCG(4, 1))
	for r := range rows {
		for p := range players {
			if r == 1 || r > 1 && rng.IntN(2) == 0 {
				s.Row(r).Add(p)
			}
		}
	}
	return s
}

// TestLayerGameOnFeaturesEqualsPenultimateGame compares layer games with penultimate games for every value and
// removal.
func TestLayerGameOnFeaturesEqualsPenultimateGame(t *testing.T) {
	net := randomNet(t)
	head, err := NewReadout(nets.HeadOf(net))
	require.NoError(t, err)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	var z [][]float64
	for out, err := range prog.Run(context.Background(), randomImages(3)) {
		require.NoError(t, err)
		for i := range out.N {
			z = append(z, mathx.Float64s(out.Float32("features")[i*net.FeatureDim():][:net.FeatureDim()]))
		}
	}
	s := randomCoalitions(net.FeatureDim(), 37)
	got, want := make([]float64, s.Len()), make([]float64, s.Len())
	for _, removal := range []attribution.Removal{attribution.RemoveToZero(), attribution.RemoveTo(z[2]),
		attribution.RemoveByResampling(z[1:])} {
		for v := attribution.Logit; v <= attribution.Margin; v++ {
			games := layerGames(t, LayerOptions{Layer: "features", Value: v, Target: attribution.TargetLabel(),
				Removal: removal, Graph: graph.Options{Batch: 5}}, 2)
			for i, g := range games {
				ref, err := NewPenultimate(head, z[i], i,
					PenultimateOptions{Value: v, Target: attribution.TargetLabel(), Removal: removal})
				require.NoError(t, err)
				require.NoError(t, g.Values(context.Background(), s, got))
				require.NoError(t, ref.Values(context.Background(), s, want))
				for r := range want {
					require.InDelta(t, want[r], got[r], 1e-5, "%v, %v, coalition %d", v, removal, r)
				}
			}
		}
	}
}

// TestLayerGameGradients compares with central differences on a layer in front of ReLUs and convolutions.
func TestLayerGameGradients(t *testing.T) {
	g := layerGames(t, LayerOptions{Layer: "trans2", Channels: true, Value: attribution.LogSumExp}, 1)[0].(*LayerGame)
	n := g.Players()
	require.Less(t, g.ForwardsPerValue(), 0.3)
	alpha, values, grads := make([]float64, n), make([]float64, 1), make([]float64, n)
	for i := range alpha {
		alpha[i] = 0.3 + 0.4*float64(i)/float64(n)
	}
	require.NoError(t, g.Gradients(context.Background(), alpha, values, grads))
	const h = 1.0 / 256
	scale := 0.0
	for _, v := range grads {
		scale = max(scale, math.Abs(v))
	}
	require.Greater(t, scale, 0.01)
	for i := range alpha {
		points := append(append([]float64(nil), alpha...), alpha...)
		points[i] += h
		points[n+i] -= h
		v, d := make([]float64, 2), make([]float64, 2*n)
		require.NoError(t, g.Gradients(context.Background(), points, v, d))
		require.InDelta(t, (v[0]-v[1])/(2*h), grads[i], 0.02*scale, "player %d", i)
	}
}

// TestLayerGamesDoNotDependOnHowTheyRun varies batch size, replicas and the rows asked for at once.
func TestLayerGamesDoNotDependOnHowTheyRun(t *testing.T) {
	opt := LayerOptions{Layer: "block3", Channels: true, Value: attribution.Probability}
	var want []float64
	for _, o := range []graph.Options{{}, {Batch: 1, Workers: 1}, {Batch: 7, Workers: 3}} {
		opt.Graph = o
		g := layerGames(t, opt, 1)[0]
		s := randomCoalitions(g.Players(), 300)
		got := make([]float64, s.Len())
		require.NoError(t, g.Values(context.Background(), s.Slice(0, 11), got[:11]))
		require.NoError(t, g.Values(context.Background(), s.Slice(11, 300), got[11:]))
		if want == nil {
			want = got
		}
		require.Equal(t, want, got)
	}
}

// TestLayerGroupsSampleTowardsEnumeration estimates 8 groups of channels and compares with all 256 coalitions.
func TestLayerGroupsSampleTowardsEnumeration(t *testing.T) {
	net := randomNet(t)
	prog, err := graph.Compile(net, graph.Options{Fetch: []string{"block3"}})
	require.NoError(t, err)
	shape := prog.Shape("block3")
	groups := make([][]int, 8)
	for i := range shape[0] * shape[1] * shape[2] {
		c := i / (shape[1] * shape[2])
		groups[c%8] = append(groups[c%8], i)
	}
	g := layerGames(t, LayerOptions{Layer: "block3", Groups: groups, Value: attribution.LogProbability}, 1)[0]
	exact, err := estimate.Exact{}.Estimate(context.Background(), g, attribution.Options{})
	require.NoError(t, err)
	require.InDelta(t, 0, exact.Residual, 1e-6)
	est, err := estimate.Permutation{}.Estimate(context.Background(), g, attribution.Options{Samples: 300, Seed: 1})
	require.NoError(t, err)
	for i, v := range exact.Values {
		require.InDelta(t, v, est.Values[i], 5*est.StdErr[i]+1e-6)
	}
}

func TestLayerRefusals(t *testing.T) {
	net := randomNet(t)
	for name, opt := range map[string]LayerOptions{
		"no node is named":  {Layer: "nothing"},
		"in groups 0 and 1": {Layer: "features", Groups: [][]int{{1}, {1}}},
		"group 1: expected at least one neuron, got none":   {Layer: "features", Groups: [][]int{{1}, {}}},
		"neurons from 0 to 8, got 99999":                    {Layer: "features", Groups: [][]int{{99999}}},
		"expected players that are channels":                {Layer: "block3", Channels: true, Groups: [][]int{{1}}},
		"expected a name for each":                          {Layer: "features", Names: []string{"one"}},
		"expected one value a sample, got shape [12 32 32]": {Layer: "features", Output: "block1"},
		"row 0: expected 9 neurons, got 2": {Layer: "features",
			Removal: attribution.RemoveTo([]float64{1, 2})},
		"expected 1 rows, got 0": {Layer: "features", Removal: attribution.RemoveByResampling(nil)},
		"expected 5 rows, got 1": {Layer: "features", Removal: attribution.RemoveToClassMean(make([][]float64, 1))},
	} {
		_, err := NewLayer(net, opt)
		require.ErrorContains(t, err, name)
	}
}
