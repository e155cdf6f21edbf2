package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

const realNet = "densenet-bc-100-12"

// realSets maps the OOD sets of the reference to their files.
var realSets = map[string]string{
	"cifar100": "cifar100_test_500.bin", "textures10": "ood_textures10_500.npy", "sun8": "ood_sun8_500.npy",
	"scenes": "ood_scenes_500.npy", "tin_resize": "ood_tin_resize_500.npy", "tin_crop": "ood_tin_crop_500.npy",
	"mnist": "ood_mnist_500.npy",
}

// realReference is a row of the reference table, computed from PyTorch's features, in percent.
type realReference struct {
	ID_accuracy       float64
	ID_accuracy_clip1 float64
	Table             map[string]map[string]struct{ FPR95, AUROC float64 }
}

// TestRealCIFAR10 runs the paper's CIFAR-10 network over all 13,500 images once, and compares all results with PyTorch:
// the table, its ablations, contributions, and every score. No other test runs all images.
func TestRealCIFAR10(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 13,500 images")
	}
	weights := sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar")
	kept := t.TempDir()
	args := []string{"eval", "--net", realNet, "--weights", weights, "--features-dir", kept,
		"--fit", sharedtest.Path(t, "data", "cifar10_train_5000.bin"), "--id",
		sharedtest.Path(t, "data", "cifar10_test_5000.bin")}
	for name, file := range realSets {
		args = append(args, "--ood", name+"="+sharedtest.Path(t, "data", file))
	}
	var want realReference
	require.NoError(t,
		json.Unmarshal([]byte(contents(t, sharedtest.Path(t, "reference", "cifar10_densenet_reference.json"))), &want))
	eval := func(more ...string) (r evalFile) {
		out := filepath.Join(t.TempDir(), "out.json")
		must(t, join(args, []string{"--json", out}, more)...)
		readJSON(t, out, &r)
		return r
	}

	r := eval("--methods", "line,msp,maxlogit,energy,react,dice")
	require.Equal(t, 5000, r.ID.N)
	require.Equal(t, 100*want.ID_accuracy, *r.ID.Accuracy)
	for method, row := range map[string]string{
		"line": "line_pw90_pa90_clip1", "msp": "msp", "maxlogit": "maxlogit", "energy": "energy", "react": "react_p90",
		"dice": "dice_p90",
	} {
		compareRow(t, want, row, r.Methods[method], 0)
	}
	rows := resultRows(t, "CIFAR-100")
	require.Len(t, rows, 6)
	for _, row := range rows { // docs/results.md shows these numbers
		m := r.Methods[row[0]]
		for i, set := range []string{"cifar100", "textures10", "sun8", "scenes", "tin_resize", "tin_crop", "mnist"} {
			require.Equal(t, fmt.Sprintf("%.2f / %.2f", m.OOD[set].FPR95, m.OOD[set].AUROC), row[2+i], "%s on %s",
				row[0], set)
		}
		require.Equal(t, fmt.Sprintf("%.2f / %.2f", m.Average.FPR95, m.Average.AUROC), row[9], row[0])
	}
	for row, without := range map[string]string{
		"line_ac_only_clip1": "ap,wp", "line_no_ac": "ac", "line_ac_wp": "ap", "line_ac_ap": "wp",
	} {
		compareRow(t, want, row, eval("--methods", "line", "--without", without).Methods["line"], 0.01)
	}

	net, err := nets.Open(realNet, weights)
	require.NoError(t, err)
	head := nets.HeadOf(net)
	fit := keptSamples(t, filepath.Join(kept, "fit.npz"))
	method, err := line.NewMethod(line.DefaultOptions(), graph.Options{})
	require.NoError(t, err)
	require.NoError(t, method.Fit(context.Background(), head, fit))

	t.Run("contributions", func(t *testing.T) {
		a, err := npyz.ReadNpyFile(sharedtest.Path(t, "reference", "cifar10_line_contributions.npy"))
		require.NoError(t, err)
		require.NoError(t, a.CheckShape(10, 342))
		want, err := a.AsFloat64()
		require.NoError(t, err)
		worst := 0.0
		for i, got := range method.Detector().Mean() {
			worst = math.Max(worst, math.Abs(float64(got)-want[i]))
		}
		t.Logf("largest difference %.3g", worst)
		require.Less(t, worst, 1e-5)
	})
	t.Run("scores", func(t *testing.T) { compareScores(t, kept, head, method) })
	t.Run("accuracy of clipped logits", func(t *testing.T) {
		id := keptSamples(t, filepath.Join(kept, "id.npz"))
		prog, err := method.Detector().Compile(graph.Options{Fetch: []string{line.RoutingClass}})
		require.NoError(t, err)
		correct := 0
		for out, err := range prog.Run(context.Background(), line.FeatureBatches(id)) {
			require.NoError(t, err)
			for i, class := range out.Ints(line.RoutingClass) {
				if class == out.Labels[i] {
					correct++
				}
			}
		}
		require.Equal(t, want.ID_accuracy_clip1, float64(correct)/5000)
	})
	t.Run("exported detector", func(t *testing.T) {
		compareExported(t, net, fit, sharedtest.Path(t, "data", "cifar10_test_5000.bin"), 200)
	})
	t.Run("features and score commands", func(t *testing.T) { compareCommands(t, kept, weights, method) })
}

// compareRow compares a row of rates in percent. FPR95 counts images, so it must be equal. AUROC must be equal in every
// printed digit or, with a bound, within that bound.
func compareRow(t *testing.T, want realReference, row string, got evalMethod, bound float64) {
	t.Helper()
	require.Len(t, got.OOD, len(realSets))
	same := func(what string, want, got float64) {
		if bound > 0 && strings.Contains(what, "AUROC") {
			assert.InDelta(t, want, got, bound, "%s of %s", what, row)
			return
		}
		// docs/results.md says: equal in every digit
		assert.Equal(t, fmt.Sprintf("%.2f", want), fmt.Sprintf("%.2f", got), "%s of %s", what, row)
	}
	for set := range realSets {
		same("FPR95 on "+set, want.Table[row][set].FPR95, got.OOD[set].FPR95)
		same("AUROC on "+set, want.Table[row][set].AUROC, got.OOD[set].AUROC)
	}
	same("average FPR95", want.Table[row]["average"].FPR95, got.Average.FPR95)
	same("average AUROC", want.Table[row]["average"].AUROC, got.Average.AUROC)
}

func keptSamples(t *testing.T, path string) posthoc.Samples {
	t.Helper()
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	labels, err := a.Ints("labels", -1)
	require.NoError(t, err)
	s := posthoc.Samples{N: len(labels), Labels: labels}
	for name, to := range map[string]struct {
		values *[]float32
		size   *int
	}{"features": {&s.Features, &s.FeatureDim}, "logits": {&s.Logits, &s.Classes}} {
		array, err := a.Get(name)
		require.NoError(t, err)
		require.Len(t, array.Shape, 2)
		*to.size = array.Shape[1]
		*to.values, err = array.AsFloat32()
		require.NoError(t, err)
	}
	for i, l := range s.Labels { // OOD labels belong to other classes
		if l >= s.Classes {
			s.Labels[i] = -1
		}
	}
	return s
}

// compareScores compares every score of line, energy and msp on all eight sets with the reference.
func compareScores(t *testing.T, kept string, head posthoc.Head, line posthoc.Method) {
	reference, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_scores.npz"))
	require.NoError(t, err)
	methods := map[string]posthoc.Method{"line_pw90_pa90_clip1": line}
	for _, name := range []string{"energy", "msp"} {
		methods[name], err = posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
	}
	files := map[string]string{"cifar10_test": "id.npz"}
	for set := range realSets {
		files[set] = "ood-" + set + ".npz"
	}
	compared := 0
	for set, file := range files {
		s := keptSamples(t, filepath.Join(kept, file))
		got := make([]float64, s.N)
		for name, m := range methods {
			want, err := reference.Float64(name+"__"+set, s.N)
			require.NoError(t, err)
			require.NoError(t, m.Score(context.Background(), s, got))
			worst := 0.0
			for i, v := range got {
				worst = math.Max(worst, math.Abs(v-want[i]))
			}
			assert.Less(t, worst, 1e-3, "%s on %s", name, set)
			compared += s.N
		}
	}
	require.Equal(t, len(reference.Names()), 3*len(files), "the reference holds nothing else")
	require.Equal(t, 3*8500, compared)
}

// compareCommands: on the first images, goline features and goline score give the bits that goline eval has kept, and
// these are as near to the reference as the documentation says.
func compareCommands(t *testing.T, kept, weights string, method *line.Method) {
	const n = 64
	dir := t.TempDir()
	few, det := filepath.Join(dir, "few.bin"), filepath.Join(dir, "det.npz")
	records := contents(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"))[:n*3073]
	require.NoError(t, os.WriteFile(few, []byte(records), 0o666))
	id := keptSamples(t, filepath.Join(kept, "id.npz"))
	id.N, id.Features, id.Logits, id.Labels = n, id.Features[:n*342], id.Logits[:n*10], id.Labels[:n]

	out := filepath.Join(dir, "f.npz")
	must(t, "features", "--net", realNet, "--weights", weights, "--data", few, "--out", out, "--batch", "5",
		"--workers", "3")
	require.Equal(t, id, keptSamples(t, out))
	probe := keptSamples(t, sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	for i, v := range probe.Features {
		require.InDelta(t, v, id.Features[i], 3e-6) // as docs/results.md says
	}
	for i, v := range probe.Logits {
		require.InDelta(t, v, id.Logits[i], 2e-5) // as docs/results.md says
	}
	require.Equal(t, probe.Labels, id.Labels)

	want := make([]float64, n)
	require.NoError(t, method.Score(context.Background(), id, want))
	net, err := nets.Open(realNet, weights)
	require.NoError(t, err)
	whole, err := line.New(context.Background(), net, method.Detector().Contributions(), method.Detector().Options())
	require.NoError(t, err)
	require.NoError(t, whole.Save(det))
	out = filepath.Join(dir, "s.csv")
	must(t, "score", "--detector", det, "--net", realNet, "--weights", weights, "--data", few, "--out", out)
	for i, row := range readScoresCSV(t, out) {
		require.Equal(t, want[i], row.score)
		require.Equal(t, id.Labels[i], row.label)
	}
}

// TestRealCIFAR100: the number of classes follows from the weights, and the error names classes without training
// images.
func TestRealCIFAR100(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 600 images")
	}
	dir := t.TempDir()
	part := func(name string, source string, size, n int) string {
		path := filepath.Join(dir, name)
		require.NoError(t, writeFile(path, contents(t, sharedtest.Path(t, "data", source))[:n*size]))
		return path
	}
	all := sharedtest.Path(t, "data", "cifar100_test_500.bin")
	few := part("few.bin", "cifar100_test_500.bin", 3074, 50)
	args := []string{"eval", "--net", realNet, "--weights", sharedtest.Path(t, "checkpoints",
		"cifar100_densenet_bc_100_12.pth.tar"),
		"--id", few, "--ood", "cifar10=" + part("ood.bin", "cifar10_test_5000.bin", 3073, 50), "--json",
		filepath.Join(dir, "out.json")}
	message := fails(t, append(args, "--fit", few)...)
	require.Contains(t, message, "few.bin: there are no images of class 0 (apple), ")
	require.Contains(t, message, " more; fitting needs some of every class of the network")
	require.Less(t, strings.Count(message, "("), 12, "a long list is cut")

	must(t, append(args, "--fit", all, "--p-a", "10")...)
	var r evalFile
	readJSON(t, filepath.Join(dir, "out.json"), &r)
	require.Equal(t, map[string]any{"p_a": 10.0, "p_w": 90.0, "clip": 1.0}, r.Methods["line"].Params)
	require.Greater(t, *r.ID.Accuracy, 60.0, "the network knows CIFAR-100")
	require.Greater(t, r.Methods["msp"].Average.AUROC, 60.0)
}
