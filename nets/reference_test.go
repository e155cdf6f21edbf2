package nets_test

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

const checkpoint10, checkpoint100 = "cifar10_densenet_bc_100_12.pth.tar", "cifar100_densenet_bc_100_12.pth.tar"

// cifarBatch reads the first n records of a CIFAR-10 file, normalised as p says.
func cifarBatch(t testing.TB, path string, n int, p nets.Preprocessing) graph.Batch {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	b := graph.Batch{N: n}
	for i := range n {
		record := raw[i*3073:][:3073]
		b.Labels = append(b.Labels, int(record[0]))
		for j, v := range record[1:] {
			c := j / 1024
			b.X = append(b.X, (float32(v)/255-p.Mean[c])/p.Std[c])
		}
	}
	return b
}

// TestDenseNetMatchesPyTorch compares features and logits of real images with those of the published network.
func TestDenseNetMatchesPyTorch(t *testing.T) {
	net, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints", checkpoint10))
	require.NoError(t, err)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	want, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	images := 64
	if testing.Short() {
		images = 4 // an emulated processor takes seconds for each
	}
	batch := cifarBatch(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"), images, net.Preprocessing())
	for out, err := range prog.Run(context.Background(), nettest.Stream(batch)) {
		require.NoError(t, err)
		for name, width := range map[string]int{nets.Features: 342, nets.Logits: 10} {
			reference, err := want.Float32(name, 64, width)
			require.NoError(t, err)
			worst := 0.0
			for i, v := range out.Float32(name) {
				worst = max(worst, math.Abs(float64(reference[i]-v)))
			}
			t.Logf("%s: largest difference %.3g", name, worst)
			require.Less(t, worst, map[string]float64{nets.Features: 3e-6, nets.Logits: 2e-5}[name],
				"%s: docs/results.md says so", name)
		}
	}
}

// TestNamesAreTheCheckpoints: the network has every one of the 596 tensors of the checkpoint, in its order, except
// batch norm's step counters.
func TestNamesAreTheCheckpoints(t *testing.T) {
	for file, classes := range map[string]int{checkpoint10: 10, checkpoint100: 100} {
		path := sharedtest.Path(t, "checkpoints", file)
		sd, err := weights.Read(path)
		require.NoError(t, err)
		require.Equal(t, 596, sd.Len())
		var names []string
		counters := 0
		for _, name := range sd.Names() {
			if strings.HasSuffix(name, ".num_batches_tracked") {
				counters++
				continue
			}
			names = append(names, name)
		}
		require.Equal(t, 99, counters)

		net, err := nets.Open("densenet-bc-100-12", path)
		require.NoError(t, err)
		require.Equal(t, classes, net.Classes(), "the number of classes is the file's")
		var got []string
		for _, p := range net.Params() {
			got = append(got, p.Name)
			require.Equal(t, strings.HasSuffix(p.Name, ".running_mean") || strings.HasSuffix(p.Name, ".running_var"),
				p.Buffer, p.Name)
			tensor, ok := sd.Get(p.Name)
			require.True(t, ok, p.Name)
			require.Equal(t, tensor.F32, p.Float32s(), p.Name)
		}
		require.Equal(t, names, got)
	}
}

// TestResNet20MatchesPyTorch compares a published network in PyTorch's legacy format with PyTorch on real images, and
// its accuracy.
func TestResNet20MatchesPyTorch(t *testing.T) {
	net, err := nets.Open("resnet20", sharedtest.Path(t, "checkpoints", "cifar10_resnet20.th"))
	require.NoError(t, err)
	require.Equal(t, 10, net.Classes())
	n, probe := 5000, 200
	if testing.Short() {
		n = probe
	}
	batch := cifarBatch(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"), n, net.Preprocessing())
	got := runAll(t, net, graph.Options{}, batch)
	want, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_resnet20_probe.npz"))
	require.NoError(t, err)
	for name, width := range map[string]int{nets.Features: 64, nets.Logits: 10} {
		reference, err := want.Float64(name, probe, width)
		require.NoError(t, err)
		worst := relative(reference, got[name])
		t.Logf("%s: largest difference %.2g of the largest value", name, worst)
		require.Less(t, worst, 1e-5)
	}
	if testing.Short() {
		return
	}
	right := 0
	for i, label := range batch.Labels {
		logits := got[nets.Logits][i*10:][:10]
		if slices.Index(logits, slices.Max(logits)) == label {
			right++
		}
	}
	require.Equal(t, 4577, right, "91.54 % of 5,000")
}
