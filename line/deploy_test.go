package line_test

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// networkSamples returns the features, logits and labels that a network gives for a batch.
func networkSamples(t testing.TB, net nets.Classifier, b graph.Batch) posthoc.Samples {
	t.Helper()
	program, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	s := posthoc.Samples{FeatureDim: net.FeatureDim(), Classes: net.Classes(), Labels: b.Labels}
	for out, err := range program.Run(t.Context(), nettest.Stream(b)) {
		require.NoError(t, err)
		s.N += out.N
		s.Features = append(s.Features, out.Float32(nets.Features)...)
		s.Logits = append(s.Logits, out.Float32(nets.Logits)...)
	}
	return s
}

// TestDeploy: every method that needs only features and logits scores images, after being saved and loaded, with the
// same bits as it scores samples.
func TestDeploy(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	fit := networkSamples(t, net, nettest.Batch(30, net.InputShape(), 3, 1))
	images := nettest.Batch(5, net.InputShape(), 3, 2)
	test := networkSamples(t, net, images)
	pixels := image.NewRGBA(image.Rect(0, 0, 32, 32))
	pixels.Set(3, 4, color.White)
	for _, name := range append(posthoc.Names(), "line+react") {
		m, err := posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
		needing, ok := m.(posthoc.Needing)
		if name == "line" || ok && len(needing.Needs()) > 0 {
			_, err := line.FitMethod(t.Context(), net, name, nil, fit)
			assert.ErrorContains(t, err, "expected ", name)
			continue
		}
		require.NoError(t, m.Fit(t.Context(), nets.HeadOf(net), fit))
		want := make([]float64, test.N)
		require.NoError(t, m.Score(t.Context(), test, want))

		det, err := line.FitMethod(t.Context(), net, name, nil, fit)
		require.NoError(t, err, name)
		var file bytes.Buffer
		_, err = det.WriteTo(&file)
		require.NoError(t, err, name)
		read, err := line.Read(bytes.NewReader(file.Bytes()), int64(file.Len()), "det.npz")
		require.NoError(t, err, name)
		for _, d := range []*line.Detector{det, read} {
			require.Equal(t, name, d.Method())
			require.Equal(t, m.Params(), d.Params())
			got, err := d.Score(t.Context(), nettest.Split(images, 1, 4))
			require.NoError(t, err)
			require.Equal(t, want, got.Score, name)
			require.Equal(t, test.Predictions(), got.Prediction, name)
			one, err := d.ScoreImage(t.Context(), pixels)
			require.NoError(t, err)
			for many, err := range d.ScoreImages(t.Context(), slices.Values([]image.Image{pixels, pixels})) {
				require.NoError(t, err)
				require.Equal(t, one, many, name)
			}
		}
		a, err := det.Threshold(0.9)
		require.NoError(t, err)
		b, err := read.Threshold(0.9)
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

// TestDeployedFilesAreChecked: a file whose state does not fit the method or the network is refused.
func TestDeployedFilesAreChecked(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	fit := networkSamples(t, net, nettest.Batch(30, net.InputShape(), 3, 1))
	det, err := line.FitMethod(t.Context(), net, "dice+react", map[string]float64{"dice.p": 50}, fit)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		array any
		want  string
	}{
		{"state/dice.Mean", npyz.New([]float64{1}), "expected mean features of"},
		{"state/dice.Mean", npyz.New([]float32{1}), "expected []float64, got []float32"},
		{"state/dice.Mean", nil, "state lacks dice.Mean"},
		{"state/react.Threshold", npyz.Scalar(math.NaN()), "it holds NaN at index 0"},
		{"state/react.Threshold", npyz.Scalar("text"), "which no method keeps"},
		{"method", npyz.Scalar("nose"), "method: expected one of " +
			strings.Join(posthoc.Names(), ", ") + `, got "nose"`},
		{"method", npyz.Scalar("line"), "line: parameter: expected one of "},
		{"method", npyz.Scalar("odin"), "odin: parameter: expected one of "},
		{"method_params", npyz.Scalar("{"), `array "method_params"`},
		{"method_params", npyz.Scalar(`{"dice.p":500}`), "expected a value in [0, 100], got 500"},
		{"classes", npyz.Scalar(int64(4)), "4 classes"},
		{"classes", npyz.Scalar(int64(-4)), "expected at least 1"},
		{"fit_scores", npyz.New([]float64{2, 1}), "expected ascending values"},
	} {
		var arrays []npyz.Named
		for name, array := range a.All() {
			if name == c.name {
				if c.array == nil {
					continue
				}
				array = c.array.(npyz.Array)
			}
			arrays = append(arrays, npyz.Named{Name: name, Array: array})
		}
		changed := filepath.Join(t.TempDir(), "changed.npz")
		require.NoError(t, npyz.WriteNpz(changed, npyz.Stored, arrays...))
		_, err := line.Load(changed)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, changed)
	}
}
