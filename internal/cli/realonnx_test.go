package cli

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// TestRealImageNet runs EfficientNet-Lite0 with its 1,000 classes over ImageNet-like images once, and compares the
// table, accuracy, features and logits with those of PyTorch.
func TestRealImageNet(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 2,000 images of 224×224 pixels")
	}
	net := sharedtest.Path(t, "onnx", "efficientnet_lite0.onnx")
	kept, out := t.TempDir(), filepath.Join(t.TempDir(), "out.json")
	id := sharedtest.Path(t, "imagenet", "id")
	code, _, stderr := runGoline("eval", "--net", net, "--preprocess", "efficientnet-lite", "--features-dir", kept,
		"--json", out,
		"--fit", sharedtest.Path(t, "imagenet", "fit"), "--id", id,
		"--ood", "textures="+sharedtest.Path(t, "imagenet", "textures"), "--ood", "sun="+sharedtest.Path(t, "imagenet",
			"sun"),
		"--p-a", "10", "--p-w", "10", "--clip", "0.8", "--param", "dice.p=70", "--param", "react.percentile=90")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stderr, "images: resize 256 bilinear, crop 224, mean 0.49803922")
	var got evalFile
	readJSON(t, out, &got)
	var want struct {
		Accuracy float64
		Table    map[string]map[string]struct{ FPR95, AUROC float64 }
	}
	require.NoError(t,
		json.Unmarshal([]byte(contents(t, sharedtest.Path(t, "reference", "imagenet_efficientnet_lite0.json"))), &want))
	require.Equal(t, want.Accuracy, *got.ID.Accuracy)
	require.Len(t, want.Table, 6)
	for method, sets := range want.Table {
		for set, rates := range sets {
			require.InDelta(t, rates.FPR95, got.Methods[method].OOD[set].FPR95, 0.4, "FPR95 of %s on %s", method, set)
			require.InDelta(t, rates.AUROC, got.Methods[method].OOD[set].AUROC, 0.05, "AUROC of %s on %s", method, set)
		}
	}

	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "imagenet_efficientnet_lite0_probe.npz"))
	require.NoError(t, err)
	files, err := probe.Strings("files", -1)
	require.NoError(t, err)
	set, err := dataset.Open(id)
	require.NoError(t, err)
	defer set.Close()
	at := map[string]int{}
	for i := range set.Len() {
		at[filepath.ToSlash(set.ID(i))] = i
	}
	var rows []int
	for _, f := range files {
		i, ok := at[strings.TrimPrefix(f, "imagenet/id/")]
		require.True(t, ok, f)
		rows = append(rows, i)
	}
	samples := keptSamples(t, filepath.Join(kept, "id.npz")).Subset(rows)
	for name, values := range map[string][]float32{nets.Features: samples.Features, nets.Logits: samples.Logits} {
		a, err := probe.Get(name)
		require.NoError(t, err)
		want, err := a.AsFloat32()
		require.NoError(t, err)
		worst := furthest(want, values)
		t.Logf("%s: largest difference %.2g of the largest value", name, worst)
		require.Less(t, worst, 1e-4, name)
	}
	t.Run("exported detector", func(t *testing.T) {
		n, err := onnx.Open(net, onnx.Options{Preprocessing: mustPreset(t, "efficientnet-lite")})
		require.NoError(t, err)
		compareExported(t, n, keptSamples(t, filepath.Join(kept, "fit.npz")), id, 40)
	})
}

func mustPreset(t *testing.T, name string) nets.Preprocessing {
	t.Helper()
	p, err := nets.Preset(name)
	require.NoError(t, err)
	return p
}

// furthest returns the largest absolute difference, divided by the largest absolute value.
func furthest(want, got []float32) float64 {
	worst, largest := 0.0, 0.0
	for i, v := range want {
		worst = math.Max(worst, math.Abs(float64(v-got[i])))
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	return worst / largest
}

// compareExported fits LINe to features, exports the detector, and compares the scores that ONNX Runtime computes from
// it with goline's.
func compareExported(t *testing.T, net nets.Classifier, fit posthoc.Samples, images string, n int) {
	t.Helper()
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	method, err := line.NewMethod(line.Options{ActivationPercentile: line.Percent(10),
		WeightPercentile: line.Percent(10), Clip: 0.8}, graph.Options{})
	require.NoError(t, err)
	require.NoError(t, method.Fit(t.Context(), nets.HeadOf(net), fit))
	det, err := line.New(t.Context(), net, method.Detector().Contributions(), method.Detector().Options())
	require.NoError(t, err)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, det.Save(path("det.npz")))
	require.Contains(t, must(t, "export", "--detector", path("det.npz"), "--out", path("det.onnx")),
		`outputs ["score" "prediction"]`)

	set, err := dataset.Open(images)
	require.NoError(t, err)
	defer set.Close()
	some, err := dataset.Limit(set, n)
	require.NoError(t, err)
	var x []float32
	for batch, err := range eval.Images(t.Context(), "images", some, net.Preprocessing(), eval.Options{}) {
		require.NoError(t, err)
		x = append(x, batch.X...)
	}
	run := &nettest.ONNXRun{File: []byte(contents(t, path("det.onnx"))), Input: net.InputShape(),
		Batch: graph.Batch{X: x, N: n}}
	nettest.RunONNX(t, python, 8, run)
	require.NoError(t, run.Err)
	scores, err := run.Outputs.Float32(line.Score, n)
	require.NoError(t, err)
	predictions, err := run.Outputs.Ints(nets.Prediction, n)
	require.NoError(t, err)

	want, err := det.Score(t.Context(), eval.Images(t.Context(), "images", some, net.Preprocessing(), eval.Options{}))
	require.NoError(t, err)
	require.Equal(t, want.Prediction, predictions)
	worst := 0.0
	for i, v := range want.Score {
		worst = max(worst, math.Abs(v-float64(scores[i])))
	}
	t.Logf("scores of %d images: largest difference %.2g", n, worst)
	require.Less(t, worst, 1e-4)
}

// TestRealResNet20 runs the CIFAR-10 ResNet-20 from PyTorch's file and from the ONNX file over the test images.
func TestRealResNet20(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 10,000 images")
	}
	probe, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_resnet20_probe.npz"))
	require.NoError(t, err)
	preprocessing := filepath.Join(t.TempDir(), "resnet20.json")
	require.NoError(t,
		os.WriteFile(preprocessing, []byte(`{"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}`), 0o666))
	for name, args := range map[string][]string{
		"th":   {"--net", "resnet20", "--weights", sharedtest.Path(t, "checkpoints", "cifar10_resnet20.th")},
		"onnx": {"--net", sharedtest.Path(t, "onnx", "cifar10_resnet20.onnx"), "--preprocess", preprocessing},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.npz")
			code, _, stderr := runGoline(join([]string{"features", "--out", out, "--data",
				sharedtest.Path(t, "data", "cifar10_test_5000.bin")}, args)...)
			require.Equal(t, exitDone, code, stderr)
			s := keptSamples(t, out)
			right := 0
			for i, c := range s.Predictions() {
				if c == s.Labels[i] {
					right++
				}
			}
			require.Equal(t, 4577, right, "91.54 %% of 5,000")
			for name, values := range map[string][]float32{nets.Features: s.Features, nets.Logits: s.Logits} {
				a, err := probe.Get(name)
				require.NoError(t, err)
				want, err := a.AsFloat32()
				require.NoError(t, err)
				require.Less(t, furthest(want, values[:len(want)]), 2e-6, name) // measured 4.8e-7
			}
		})
	}
}
