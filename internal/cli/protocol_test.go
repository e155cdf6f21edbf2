package cli

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line/report"
)

// evaluated runs goline eval with --json and returns the result that it wrote.
func (w world) evaluated(t testing.TB, more ...string) (r report.Result) {
	t.Helper()
	out := w.path("protocol.json")
	must(t, w.eval(append(more, "--json", out)...)...)
	require.NoError(t, json.Unmarshal([]byte(contents(t, out)), &r))
	return r
}

// TestEvalGroups: sets of --near, --far and --csid appear in the order of the command line, with averages and
// comparisons.
func TestEvalGroups(t *testing.T) {
	w := newWorld(t)
	w.writeImages(t, "shifted.npz", 6, 9, 60, roundLabels(6))
	flags := []string{"--far", "f=" + w.path("shifted.npz"), "--near", "n=" + w.path("test.npz"), "--csid",
		"s=" + w.path("shifted.npz")}
	r := w.evaluated(t, flags...)
	var names, groups []string
	for _, o := range r.Methods[0].OOD {
		names, groups = append(names, o.Name), append(groups, o.Group)
	}
	require.Equal(t, []string{"noise", "dark", "f", "n"}, names)
	require.Equal(t, []string{"", "", "far", "near"}, groups)
	require.Len(t, r.Methods[0].Groups(), 2)
	require.Equal(t, 13+6, r.FullSpectrum.N)
	require.Len(t, r.Methods[0].FullSpectrum, 4)
	require.Len(t, r.Comparisons, 5)
	require.NotNil(t, r.Methods[0].Misclassification)

	stdout := must(t, w.eval(append(flags, "--fpr", "openood", "--compare", "all", "--methods",
		"line,msp,energy")...)...)
	for _, want := range []string{"average near", "OpenOOD's FPR95", "full spectrum: 6 of s", "msp − energy",
		"µs a sample"} {
		require.Contains(t, stdout, want)
	}
}

// TestEvalCheckpoints: rates are means over checkpoints, with standard deviations.
func TestEvalCheckpoints(t *testing.T) {
	w := newWorld(t)
	w.writeNet(t, "other.npz", nettest.DenseNetBC(t, 10, 4, worldClasses, 7))
	first := w.evaluated(t)
	second := w.evaluated(t, "--weights", w.path("other.npz"))
	both := w.evaluated(t, "--also-weights", w.path("other.npz"), "--features-dir", w.path("kept"))
	require.Equal(t, 2, both.Checkpoints)
	for i, m := range both.Methods {
		a, b := first.Methods[i].Average(), second.Methods[i].Average()
		require.InDelta(t, (a.AUROC+b.AUROC)/2, m.Average().AUROC, 1e-9, m.Name)
	}
	again := w.evaluated(t, "--also-weights", w.path("other.npz"), "--features-dir", w.path("kept"))
	require.Equal(t, both, again, "all of it is kept, times included")
}

// TestEvalTune: parameters are chosen on validation pictures, which must not be in any other set.
func TestEvalTune(t *testing.T) {
	w := newWorld(t)
	w.writeImages(t, "val.npz", 12, 21, 20, roundLabels(12))
	w.writeImages(t, "odd.npz", 9, 22, 0, nil)
	methods := []string{"--methods", "line,react,msp", "--p-a", "30"}
	r := w.evaluated(t, append(methods, "--tune", "--id-val", w.path("val.npz"), "--ood-val",
		"odd="+w.path("odd.npz"))...)
	require.Len(t, r.Methods, 3)
	line := r.Methods[0]
	require.Equal(t, []string{"odd"}, line.Tuning.OOD)
	require.False(t, line.Tuning.Pseudo)
	require.Len(t, line.Tuning.Trials, 9, "p_a is given, and not searched for")
	require.EqualValues(t, 30, line.Params["p_a"])
	best := line.Tuning.Trials[0]
	for _, trial := range line.Tuning.Trials {
		if trial.AUROC > best.AUROC || trial.AUROC == best.AUROC && trial.FPR95 < best.FPR95 {
			best = trial
		}
	}
	require.EqualValues(t, best.Params["p_w"], line.Params["p_w"])
	require.Nil(t, r.Methods[2].Tuning, "msp has no parameters")

	r = w.evaluated(t, append(methods, "--tune=both")...)
	var names []string
	for _, m := range r.Methods {
		names = append(names, m.Name)
	}
	require.Equal(t, []string{"line", "react", "msp", "line, tuned", "react, tuned"}, names)
	require.Nil(t, r.Methods[0].Tuning)
	require.True(t, r.Methods[3].Tuning.Pseudo)
	require.Equal(t, []string{"patches", "pixels", "blends"}, r.Methods[3].Tuning.OOD)

	for want, more := range map[string][]string{
		"--id-val: 13 of 13 pictures are in --id too":         {"--id-val", w.path("test.npz")},
		"--id-val: 21 of 21 pictures are in --fit too":        {"--id-val", w.path("train.npz")},
		"--ood-val x: 9 of 9 pictures are in --ood noise too": {"--ood-val", "x=" + w.path("noise.npy")},
		"--ood-val b: 9 of 9 pictures are in --ood-val a too": {"--ood-val", "a=" + w.path("odd.npz"), "--ood-val",
			"b=" + w.path("odd.npz")},
		"--tune: --fit " + w.path("few.npz") + ": fewer than fou": {"--fit", w.path("few.npz")},
	} {
		w.writeImages(t, "few.npz", 3, 30, 20, roundLabels(3))
		require.Contains(t, fails(t, w.eval(append(more, append(methods, "--tune")...)...)...), want)
	}
}

// TestEvalOpenOOD reads a folder with the layout of OpenOOD's downloads.
func TestEvalOpenOOD(t *testing.T) {
	w := newWorld(t)
	root := w.path("openood")
	picture := 0
	for _, list := range []string{"train_cifar10", "val_cifar10", "test_cifar10", "val_tin", "test_cifar100",
		"test_tin", "test_mnist", "test_svhn", "test_texture", "test_places365"} {
		text := ""
		for i := range 6 {
			name := list + string(rune('a'+i)) + ".png"
			picture++
			w.writeColour(t, "openood/images_classic", name, uint8(picture))
			text += name + " " + string(rune('0'+i%worldClasses)) + "\n"
		}
		path := filepath.Join(root, "benchmark_imglist", "cifar10", list+".txt")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	out := w.path("o.json")
	args := join([]string{"eval", "--openood", root, "--benchmark", "cifar10", "--json", out, "--tune", "--methods",
		"react,msp"}, w.net())
	code, _, stderr := runGoline(args...)
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stderr, "note: without covariate-shifted ID sets of the benchmark that "+root+
		" does not have: cifar10c")
	var r report.Result
	require.NoError(t, json.Unmarshal([]byte(contents(t, out)), &r))
	require.Len(t, r.Methods[0].OOD, 6)
	require.Equal(t, "near", r.Methods[0].OOD[1].Group)
	require.Equal(t, "places365", r.Methods[0].OOD[5].Name)
	require.Equal(t, []string{"tin"}, r.Methods[0].Tuning.OOD)
}

// writeColour writes a picture of 8×8 pixels of one colour.
func (w world) writeColour(t testing.TB, dir, name string, red uint8) {
	t.Helper()
	require.NoError(t, os.MkdirAll(w.path(dir), 0o777))
	img := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for at := range 64 {
		img.Set(at%8, at/8, color.RGBA{red, 100, 200, 255})
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	require.NoError(t, os.WriteFile(filepath.Join(w.path(dir), name), out.Bytes(), 0o666))
}

// TestKeptPicturesAreNotReadAgain: with features kept, a second run with another detector reads no pixel of a file that
// has not changed for a while.
func TestKeptPicturesAreNotReadAgain(t *testing.T) {
	w := newWorld(t)
	time.Sleep(2100 * time.Millisecond) // some file systems keep times in steps of two seconds
	run := func(methods string) (r report.Result, progress string) {
		out := w.path("protocol.json")
		code, _, stderr := runGoline(w.eval("--features-dir", w.path("kept"), "--methods", methods, "--json", out,
			"--progress", "always")...)
		require.Equal(t, exitDone, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(contents(t, out)), &r))
		return r, stderr
	}
	first, progress := run("line,msp")
	require.Contains(t, progress, "fit: compare pictures")
	second, progress := run("line,energy")
	require.NotContains(t, progress, "compare pictures")
	require.Equal(t, first.Methods[0], second.Methods[0], "kept scores, with the times of then")
}

func TestProtocolUsage(t *testing.T) {
	w := newWorld(t)
	for want, more := range map[string][]string{
		`--near "x": expected NAME=DATA`:              {"--near", "x"},
		`--far: two sets are named "dark"`:            {"--far", "dark=x"},
		`--tune "never"`:                              {"--tune=never"},
		"--id-val and --ood-val are images of --tune": {"--id-val", "x"},
		`--ood-val: two sets are named "a"`:           {"--tune", "--ood-val", "a=x", "--ood-val", "a=y"},
		`--compare "dog": expected all, none or`:      {"--compare", "dog"},
		`--fpr "best": expected line or openood`:      {"--fpr", "best"},
		"--bootstrap and --also-weights":              {"--bootstrap", "5", "--also-weights", "x"},
		"--benchmark is required":                     {"--openood", "x"},
		`OpenOOD benchmark: expected one of cifar10, cifar100, imagenet, imagenet200, got "mnist"`: {
			"--openood", "x", "--benchmark", "mnist"},
	} {
		code, stdout, stderr := runGoline(w.eval(more...)...)
		require.Equal(t, exitUsage, code, "%q: %s", more, stderr)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want)
	}
}
