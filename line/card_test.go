package line_test

import (
	"context"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cuda/emu"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// TestCardsRunThePipeline: a GPU (here an emulated one) gives the same outputs of LINe's graph as the processor, with
// each of LINe's steps on and off, and fitting gives the same detector.
func TestCardsRunThePipeline(t *testing.T) {
	card := emu.Use(t)
	for name, net := range map[string]nets.Classifier{"tiny": newTiny(4, 9, 2), "densenet": nettest.DenseNetBC(t, 10, 4,
		4, 2)} {
		train, test := nettest.Batch(12, net.InputShape(), 4, 1), nettest.Batch(9, net.InputShape(), 4, 2)
		test.Labels[3], test.Labels[8] = -1, -1
		prog, err := graph.Compile(net, graph.Options{Device: graph.CUDA, Workers: 1, Batch: 4})
		require.NoError(t, err)
		before := card.Used().Launches
		for _, o := range switches() {
			want := fit(t, net, nettest.Stream(train), o)
			fitted, err := line.Fit(context.Background(), prog, nettest.Stream(train), o)
			require.NoError(t, err)
			requireClose(t, want.Mean(), fitted.Mean(), "contributions")

			m := line.Pipeline{Classifier: net, Detector: want}
			nodes := everything()
			if o.ClipPerClass {
				nodes = append(nodes, line.ClipClass)
			}
			onCPU := run(t, m, graph.Options{Fetch: nodes}, nettest.Stream(test))
			onCard := run(t, m, graph.Options{Fetch: nodes, Device: graph.CUDA, Workers: 1, Batch: 4},
				nettest.Stream(test))
			for _, node := range nodes {
				require.Equal(t, onCPU.ints[node], onCard.ints[node], "%s of %s, %+v", node, name, o)
				requireClose(t, onCPU.f32[node], onCard.f32[node], node)
			}
		}
		require.Greater(t, card.Used().Launches, before)
		require.NoError(t, prog.Close())
	}
}

func requireClose(t *testing.T, want, got []float32, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	scale := 1.0
	for _, v := range want {
		scale = max(scale, math.Abs(float64(v)))
	}
	for i, v := range want {
		require.InDelta(t, v, got[i], 1e-5*scale, "%s, element %d", what, i)
	}
}

// TestCardMatchesPyTorch: features, logits and contributions of 64 images by the paper's network, and LINe's scores of
// them with the mean contributions that PyTorch computed, agree with PyTorch within the same bounds as on the
// processor. The contributions of an image are PyTorch's features times the weights of the class that PyTorch's logits
// predict.
func TestCardMatchesPyTorch(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 64 images on an emulated card")
	}
	const n, classes, features = 64, 10, 342
	net, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"))
	require.NoError(t, err)
	a, err := npyz.ReadNpyFile(sharedtest.Path(t, "reference", "cifar10_line_contributions.npy"))
	require.NoError(t, err)
	means, err := a.AsFloat64()
	require.NoError(t, err)
	c := line.NewContributions(classes, features)
	for k := range classes {
		row := make([]float32, features)
		for i := range row {
			row[i] = float32(means[k*features+i])
		}
		require.NoError(t, c.Add(k, row))
	}
	det, err := line.New(context.Background(), net, c, line.DefaultOptions())
	require.NoError(t, err)
	raw, err := os.ReadFile(sharedtest.Path(t, "data", "cifar10_test_5000.bin"))
	require.NoError(t, err)
	p := net.Preprocessing()
	batch := graph.Batch{N: n}
	for i := range n {
		for j, v := range raw[i*3073+1:][:3072] {
			batch.X = append(batch.X, (float32(v)/255-p.Mean[j/1024])/p.Std[j/1024])
		}
	}
	reference, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_scores.npz"))
	require.NoError(t, err)
	emu.Use(t)
	got := run(t, line.Pipeline{Classifier: net, Detector: det},
		graph.Options{Device: graph.CUDA, Workers: 1,
			Fetch: []string{nets.Features, nets.Logits, line.ContributionsNode, line.Score}},
		nettest.Stream(batch)).f32
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	weight := nets.HeadOf(net).Weight
	for _, c := range []struct {
		node  string
		want  func() ([]float64, error)
		bound float64
	}{
		// the bound of docs/results.md
		{nets.Features, func() ([]float64, error) { return probe.Float64(nets.Features, n, features) }, 3e-6},
		// the bound of docs/results.md
		{nets.Logits, func() ([]float64, error) { return probe.Float64(nets.Logits, n, classes) }, 2e-5},
		// the bound of the mean contributions in internal/cli
		{line.ContributionsNode, func() ([]float64, error) {
			z, err := probe.Float64(nets.Features, n, features)
			if err != nil {
				return nil, err
			}
			logits, err := probe.Float64(nets.Logits, n, classes)
			for i := range z {
				l := logits[i/features*classes:][:classes]
				c := slices.Index(l, slices.Max(l))
				z[i] *= float64(weight[c*features+i%features])
			}
			return z, err
		}, 1e-5},
		{line.Score, func() ([]float64, error) {
			all, err := reference.Float64("line_pw90_pa90_clip1__cifar10_test", 5000)
			return all[:n], err
		}, 1e-3},
	} {
		want, err := c.want()
		require.NoError(t, err)
		require.Len(t, got[c.node], len(want))
		worst := 0.0
		for i, v := range got[c.node] {
			worst = max(worst, math.Abs(float64(v)-want[i]))
		}
		t.Logf("%s: largest difference %.3g", c.node, worst)
		require.Less(t, worst, c.bound, c.node)
	}
}
