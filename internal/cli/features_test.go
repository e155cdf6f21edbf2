package cli

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// expected runs the world's network over a set through the library.
func (w world) expected(t testing.TB, spec string) (features, logits []float32) {
	t.Helper()
	net, err := nets.Open(worldNet, w.path("net.npz"))
	require.NoError(t, err)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	set, err := dataset.Open(spec)
	require.NoError(t, err)
	defer set.Close()
	for out, err := range prog.Run(context.Background(), dataset.Batches(context.Background(), set, net.Preprocessing(),
		dataset.BatchOptions{})) {
		require.NoError(t, err)
		features = append(features, out.Float32(nets.Features)...)
		logits = append(logits, out.Float32(nets.Logits)...)
	}
	return features, logits
}

func TestFeatures(t *testing.T) {
	w := newWorld(t)
	for spec, labels := range map[string][]int64{
		w.path("test.npz"):             roundLabels(13),
		w.path("noise.npy"):            {-1, -1, -1, -1, -1, -1, -1, -1, -1},
		"npz:" + w.path("dark.npz"):    {-1, -1, -1, -1, -1, -1, -1, -1},
		"folder:" + w.path("pictures"): {-1, -1, -1},
	} {
		out := filepath.Join(t.TempDir(), "f.npz")
		stdout := must(t, join([]string{"features", "--data", spec, "--out", out}, w.net())...)
		n := len(labels)
		require.Contains(t, stdout, out+": ")
		a, err := npyz.ReadNpz(out)
		require.NoError(t, err)
		require.Equal(t, []string{"features", "logits", "labels"}, a.Names())
		features, logits := w.expected(t, spec)
		for name, want := range map[string]npyz.Array{
			"features": npyz.New(features, n, 9), "logits": npyz.New(logits, n, worldClasses),
			"labels": npyz.New(labels, n),
		} {
			got, err := a.Get(name)
			require.NoError(t, err)
			require.Equal(t, want, got, "%s of %s", name, spec)
		}
	}
}
