package downstream_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// TestLogitGameOnDenseNet: on the CIFAR-10 network of the paper, with the logit as value and removal to zero, these
// agree: gradient × activation from the network's own graph and from the game, the closed form, enumeration of
// groups, and permutation sampling.
func TestLogitGameOnDenseNet(t *testing.T) {
	net, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	const n, d = 64, 342
	features, err := probe.Float32("features", n, d)
	require.NoError(t, err)
	head, err := games.NewReadout(nets.HeadOf(net))
	require.NoError(t, err)

	prog, err := graph.Compile(line.Pipeline{Classifier: net}, graph.Options{From: nets.Features,
		Fetch: []string{line.ContributionsNode, line.Class}})
	require.NoError(t, err)
	var inGraph []float32
	var class []int
	for out, err := range prog.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		yield(graph.Batch{N: n, X: features}, nil)
	}) {
		require.NoError(t, err)
		inGraph, class = append(inGraph, out.Float32(line.ContributionsNode)...), append(class, out.Ints(line.Class)...)
	}

	ctx := context.Background()
	var groups [][]int
	for g := range 18 {
		var members []int
		for i := g * d / 18; i < (g+1)*d/18; i++ {
			members = append(members, i)
		}
		groups = append(groups, members)
	}
	for i := range n {
		z := mathx.Float64s(features[i*d:][:d])
		o := games.PenultimateOptions{Target: attribution.TargetClass(class[i])}
		game, err := games.NewPenultimate(head, z, -1, o)
		require.NoError(t, err)
		closed, err := estimate.ClosedForm{}.Estimate(ctx, game, attribution.Options{})
		require.NoError(t, err)
		gradient, err := estimate.GradientActivation{}.Estimate(ctx, game, attribution.Options{})
		require.NoError(t, err)
		sampled, err := estimate.Permutation{}.Estimate(ctx, game, attribution.Options{Samples: 20, Seed: uint64(i)})
		require.NoError(t, err)
		for j := range d {
			require.InDelta(t, closed.Values[j], inGraph[i*d+j], 1e-5, "graph, image %d, neuron %d", i, j)
			require.InDelta(t, closed.Values[j], gradient.Values[j], 1e-5, "gradient, image %d, neuron %d", i, j)
			// The game is additive: all permutations give the same values up to rounding, and so does their mean.
			require.InDelta(t, closed.Values[j], sampled.Values[j], 3*sampled.StdErr[j]+1e-9,
				"permutations, image %d, neuron %d", i, j)
		}
		if i%16 > 0 { // a few enumerations suffice
			continue
		}
		o.Groups = groups
		grouped, err := games.NewPenultimate(head, z, -1, o)
		require.NoError(t, err)
		exact, err := estimate.Exact{}.Estimate(ctx, grouped, attribution.Options{})
		require.NoError(t, err)
		for g, members := range groups {
			want := 0.0
			for _, j := range members {
				want += closed.Values[j]
			}
			assert.InDelta(t, want, exact.Values[g], 1e-5, "enumeration, image %d, group %d", i, g)
		}
	}
}

// TestGradientGapOnDenseNet compares gradient × activation with enumeration on 18 groups. For values that are not
// linear there is a gap, and integrated gradients close most of it.
func TestGradientGapOnDenseNet(t *testing.T) {
	net, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	const d, players = 342, 12
	features, err := probe.Float64("features", 64, d)
	require.NoError(t, err)
	head, err := games.NewReadout(nets.HeadOf(net))
	require.NoError(t, err)
	var groups [][]int
	for g := range players {
		var members []int
		for i := g * d / players; i < (g+1)*d/players; i++ {
			members = append(members, i)
		}
		groups = append(groups, members)
	}
	ctx := context.Background()
	for _, value := range []attribution.Value{attribution.Probability, attribution.LogProbability,
		attribution.LogSumExp} {
		var gradient, integrated, size float64
		for i := range 16 {
			game, err := games.NewPenultimate(head, features[i*d:][:d], -1, games.PenultimateOptions{Value: value,
				Groups: groups})
			require.NoError(t, err)
			truth, err := estimate.Exact{}.Estimate(ctx, game, attribution.Options{})
			require.NoError(t, err)
			require.InDelta(t, 0, truth.Residual, 1e-9)
			ga, err := estimate.GradientActivation{}.Estimate(ctx, game, attribution.Options{})
			require.NoError(t, err)
			ig, err := estimate.IntegratedGradients{}.Estimate(ctx, game, attribution.Options{})
			require.NoError(t, err)
			gradient += compare.MeanSquaredError(truth.Values, ga.Values)
			integrated += compare.MeanSquaredError(truth.Values, ig.Values)
			size += compare.MeanSquaredError(truth.Values, make([]float64, players))
		}
		relative := math.Sqrt(gradient / size)
		t.Logf("%-16s root mean squared error over root mean square: gradient × activation %.3f, integrated "+
			"gradients %.3f", value, relative, math.Sqrt(integrated/size))
		assert.Greater(t, relative, 0.1, "%v", value)
		assert.Less(t, integrated, gradient, "%v", value)
	}
}
