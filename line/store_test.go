package line_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// saved fits a detector to a small DenseNet and saves it.
func saved(t testing.TB, o line.Options) (det *line.Detector, path string) {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	det = fit(t, net, nettest.Stream(nettest.Batch(9, net.InputShape(), 3, 1)), o)
	path = filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	return det, path
}

func TestSaveLoadSameBits(t *testing.T) {
	for _, o := range switches() {
		want, path := saved(t, o)
		got, err := line.Load(path)
		require.NoError(t, err)
		requireSame(t, want, got)

		again := filepath.Join(t.TempDir(), "again.npz")
		require.NoError(t, got.Save(again))
		require.Equal(t, read(t, path), read(t, again))

		same, err := line.LoadFor(path, want.Network())
		require.NoError(t, err)
		require.Same(t, want.Network(), same.Network())
		requireSame(t, want, same)
	}
}

func requireSame(t testing.TB, want, got *line.Detector) {
	t.Helper()
	require.Equal(t, want.Options(), got.Options())
	require.Equal(t, want.Mean(), got.Mean())
	require.Equal(t, want.Contributions(), got.Contributions())
	require.Equal(t, line.Fingerprint(want.Network()), line.Fingerprint(got.Network()))
	for k := range want.Network().Classes() {
		require.Equal(t, want.ActiveNeurons(k), got.ActiveNeurons(k))
		require.Equal(t, want.ActiveWeights(k), got.ActiveWeights(k))
	}
	images := nettest.Batch(7, want.Network().InputShape(), 0, 2)
	a, err := want.Score(context.Background(), nettest.Stream(images))
	require.NoError(t, err)
	b, err := got.Score(context.Background(), nettest.Stream(images))
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func TestNumpyReadsDetectors(t *testing.T) {
	python := peertest.Python(t, "numpy")
	det, path := saved(t, line.DefaultOptions())
	out, err := exec.Command(python, "-c", `
import sys, numpy as np
d = np.load(sys.argv[1])
assert str(d["network"]) == "densenet-bc-10-4" and d["version"] == 1 and d["components"].tolist() == [True] * 3
mean = (d["contribution_sums"] + d["contribution_sums_low"]) / d["counts"][:, None]
assert np.array_equal(mean.astype(np.float32), d["contributions"])
assert np.allclose(np.percentile(d["contributions"], d["p_a"], axis=1), d["activation_thresholds"], rtol=1e-6)
print(d["contributions"].shape, sum(k.startswith("param/") for k in d))
`, path).CombinedOutput()
	require.NoError(t, err, string(out))
	net := det.Network()
	require.Equal(t, "(3, 9) "+itoa(len(net.Params()))+"\n", string(out))
}

// TestLoadForAnotherNetwork: a network with another architecture, or a single different weight, is refused.
func TestLoadForAnotherNetwork(t *testing.T) {
	det, path := saved(t, line.DefaultOptions())
	other := nettest.DenseNetBC(t, 16, 4, 3, 5)
	_, err := line.LoadFor(path, other)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err,
		"expected one that was fitted to network densenet-bc-16-4, got one of network densenet-bc-10-4")
	require.ErrorIs(t, err, line.ErrMismatch)
	_, err = line.LoadFor(path, nettest.DenseNetBC(t, 10, 4, 4, 5))
	require.ErrorContains(t, err, "it was fitted to a densenet-bc-10-4 with other weights: expected fingerprint ")

	for _, p := range det.Network().Params() {
		net := nettest.DenseNetBC(t, 10, 4, 3, 5)
		for _, q := range net.Params() {
			if q.Name == p.Name {
				last := &q.Float32s()[len(q.Float32s())-1]
				*last = math.Nextafter32(*last, 9)
			}
		}
		_, err = line.LoadFor(path, net)
		require.ErrorContains(t, err, "with other weights", p.Name)
		require.ErrorIs(t, err, line.ErrMismatch)
	}
}

// TestSavingNeedsNoKnownNetwork: a detector of a network of one's own can be saved, and loaded with LoadFor.
func TestSavingNeedsNoKnownNetwork(t *testing.T) {
	net := newTiny(3, 5, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	got, err := line.LoadFor(path, net)
	require.NoError(t, err)
	requireSame(t, det, got)
	_, err = line.Load(path)
	require.ErrorContains(t, err, `unknown network: expected one of `+strings.Join(nets.Names(), ", ")+`, got "tiny"`)
}

// TestPreprocessingIsSaved with the detector. The network's preprocessing may be the default of its name, another one
// or none.
func TestPreprocessingIsSaved(t *testing.T) {
	usual := nettest.DenseNetBC(t, 10, 4, 3, 5)
	p := usual.Preprocessing()
	p.Interpolation = nets.Bicubic
	net, err := usual.WithPreprocessing(p)
	require.NoError(t, err)
	det := fit(t, net, nettest.Stream(nettest.Batch(9, net.InputShape(), 3, 1)), line.DefaultOptions())
	require.Equal(t, p, det.Preprocessing())
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))

	for range 2 {
		got, err := line.Load(path)
		require.NoError(t, err)
		require.Equal(t, p, got.Preprocessing())
		require.Equal(t, p, got.Network().Preprocessing())
		requireSame(t, det, got)
		require.NoError(t, got.Save(path))
	}
	got, err := line.LoadFor(path, net)
	require.NoError(t, err)
	require.Equal(t, p, got.Preprocessing())
	_, err = line.LoadFor(path, usual)
	require.ErrorIs(t, err, line.ErrMismatch)
	require.ErrorContains(t, err,
		"detector "+path+
			": detector of another network: it was fitted to other images: expected those prepared by resize 32 "+
			"bilinear, crop 32, mean ")
	require.ErrorContains(t, err,
		", as network densenet-bc-10-4 takes them, got those prepared by resize 32 bicubic, crop 32, mean ")

	silent := silentNet{usual}
	got, err = line.LoadFor(path, silent)
	require.NoError(t, err)
	require.Equal(t, p, got.Preprocessing(), "the detector's")
	img := pictures(1, 40, 33, 3)[0]
	want, err := det.ScoreImage(context.Background(), img)
	require.NoError(t, err)
	have, err := got.ScoreImage(context.Background(), img)
	require.NoError(t, err)
	require.Equal(t, want, have)

	det = fit(t, silent, nettest.Stream(nettest.Batch(9, net.InputShape(), 3, 1)), line.DefaultOptions())
	require.Zero(t, det.Preprocessing())
	require.NoError(t, det.Save(path))
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	require.False(t, a.Has("preprocessing"))
	got, err = line.LoadFor(path, net)
	require.NoError(t, err)
	require.Equal(t, p, got.Preprocessing(), "the network's")
}

// silentNet is a network that does not state its preprocessing.
type silentNet struct{ nets.Classifier }

func (silentNet) Preprocessing() nets.Preprocessing { return nets.Preprocessing{} }

// TestEveryReductionCanBeLoaded: the network's name in the file determines its shape.
func TestEveryReductionCanBeLoaded(t *testing.T) {
	net, err := nets.DenseNetBC(nets.DenseNetBCConfig{Depth: 10, Growth: 3, Reduction: 1.0 / 3, Classes: 2})
	require.NoError(t, err)
	nettest.Fill(net.Params(), 1)
	det := fit(t, net, nettest.Stream(nettest.Batch(4, net.InputShape(), 2, 1)), line.DefaultOptions())
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	got, err := line.Load(path)
	require.NoError(t, err)
	requireSame(t, det, got)
}

// TestSavedStatisticsMerge: the contributions of a loaded detector can be merged with those of further images.
func TestSavedStatisticsMerge(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	all := nettest.Batch(31, net.InputShape(), 3, 4)
	whole := fit(t, net, nettest.Stream(all), line.DefaultOptions())
	width := len(all.X) / all.N
	first := graph.Batch{N: 14, X: all.X[:14*width], Labels: all.Labels[:14]}
	second := graph.Batch{N: 17, X: all.X[14*width:], Labels: all.Labels[14:]}

	path := filepath.Join(t.TempDir(), "first.npz")
	require.NoError(t, fit(t, net, nettest.Stream(first), line.DefaultOptions()).Save(path))
	half, err := line.LoadFor(path, net)
	require.NoError(t, err)
	c, err := line.Measure(context.Background(), prog, nettest.Stream(second))
	require.NoError(t, err)
	require.NoError(t, c.Merge(half.Contributions()))
	merged, err := line.New(context.Background(), net, c, line.DefaultOptions())
	require.NoError(t, err)
	require.Equal(t, whole.Mean(), merged.Mean())
}

func TestSaveLeavesNothingBehind(t *testing.T) {
	det, path := saved(t, line.DefaultOptions())
	dir := filepath.Dir(path)
	require.ErrorContains(t, det.Save(filepath.Join(dir, "missing", "det.npz")), filepath.Join(dir, "missing"))
	require.ErrorContains(t, det.Save(dir), dir)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	require.True(t, a.Has("contributions"))
}

// TestNoDetectorThatCannotBeRead: if products with weights of the last layer overflow float32, making the detector is
// an error that names the class, so that no file is written that could not be read.
func TestNoDetectorThatCannotBeRead(t *testing.T) {
	net := newTiny(3, 5, 1)
	w, _ := net.head()
	for i := range w {
		w[i] = 3e38
	}
	c := line.NewContributions(3, 5)
	for class := range 3 {
		require.NoError(t, c.Add(class, []float32{1, 20, 300, 4000, 50000}))
	}
	_, err := line.New(context.Background(), net, c, line.DefaultOptions())
	require.ErrorContains(t, err,
		"line: class 0: expected a finite weight threshold, got +Inf: the contributions or the weights of tiny's "+
			"last layer are too large")

	w[0] = 0 // the thresholds are then finite where the percentile is low enough, but the network's output is not
	o := line.DefaultOptions()
	o.NoWeightPruning = true
	det, err := line.New(context.Background(), net, c, o)
	require.NoError(t, err)
	require.NoError(t, det.Save(filepath.Join(t.TempDir(), "det.npz")))
}
