package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/nets/weights"
)

// evalFile is the schema of eval --json.
type evalFile struct {
	Net     string
	Weights struct{ File, SHA256 string }
	Seed    uint64
	ID      struct {
		N           int
		Accuracy    *float64
		Accuracy_ci *[2]float64
	}
	Bootstrap *struct {
		Resamples int
		Level     float64
	}
	Methods     map[string]evalMethod
	Comparisons json.RawMessage
}

type evalMethod struct {
	Params        map[string]any
	Fit_seconds   float64
	Us_per_sample float64
	Bytes         int64
	OOD           map[string]evalOOD

	Misclassification, Tuning, Groups, Spread json.RawMessage
	Average                                   struct{ FPR95, AUROC, FPR95_OpenOOD float64 }
}

type evalOOD struct {
	N                                                             int
	FPR95, AUROC, AUPR_in, AUPR_out, FPR95_OpenOOD, DTERR         float64
	FPR95_ci, AUROC_ci, AUPR_in_ci, AUPR_out_ci, FPR95_OpenOOD_ci *[2]float64
	DTERR_ci                                                      *[2]float64
	FPR95_tie_aware                                               *float64
}

// keys returns the keys of a JSON object in order, including those of objects inside it.
func keys(t testing.TB, raw json.RawMessage) (out []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	first, err := d.Token()
	require.NoError(t, err)
	if first != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
		out = append(out, key.(string))
		for _, inner := range keys(t, value) {
			out = append(out, key.(string)+"."+inner)
		}
	}
	return out
}

// TestEvalJSON: the file has the documented schema, with keys in its order, and values that follow from the scores.
func TestEvalJSON(t *testing.T) {
	w := newWorld(t)
	out := w.path("out.json")
	must(t, w.eval("--json", out, "--methods", "line,energy", "--p-a", "30", "--p-w", "40", "--clip", "0.7", "--seed",
		"5")...)
	var want []string
	add := func(names ...string) { want = append(want, names...) }
	add("net", "weights", "weights.file", "weights.sha256", "seed", "id", "id.n", "id.accuracy", "methods")
	for _, m := range []struct {
		name   string
		params []string
	}{{"line", []string{"clip", "p_a", "p_w"}}, {"energy", []string{"temperature"}}} {
		p := "methods." + m.name
		add(p, p+".params")
		for _, name := range m.params {
			add(p + ".params." + name)
		}
		add(p+".fit_seconds", p+".us_per_sample", p+".bytes", p+".ood")
		for _, set := range []string{"noise", "dark"} {
			o := p + ".ood." + set
			add(o, o+".n", o+".fpr95", o+".auroc", o+".aupr_in", o+".aupr_out", o+".fpr95_openood", o+".dterr")
		}
		add(p+".average", p+".average.fpr95", p+".average.auroc", p+".average.fpr95_openood")
		add(p+".misclassification", p+".misclassification.aurc", p+".misclassification.auroc")
	}
	add("comparisons")
	require.Equal(t, want, keys(t, json.RawMessage(contents(t, out))))

	var r evalFile
	readJSON(t, out, &r)
	sha, err := weights.SHA256(w.path("net.npz"))
	require.NoError(t, err)
	require.Equal(t, []any{worldNet, w.path("net.npz"), sha, uint64(5), 13},
		[]any{r.Net, r.Weights.File, r.Weights.SHA256, r.Seed, r.ID.N})
	require.Equal(t, map[string]any{"p_a": 30.0, "p_w": 40.0, "clip": 0.7}, r.Methods["line"].Params)

	det := w.fit(t, "--p-a", "30", "--p-w", "40", "--clip", "0.7")
	scores := func(spec string) (s []float64) {
		for _, row := range wantRows(t, det, spec) {
			s = append(s, row.score)
		}
		return s
	}
	correct := 0
	for _, row := range wantRows(t, det, w.path("test.npz")) {
		if row.prediction == row.label {
			correct++
		}
	}
	require.InDelta(t, 100*float64(correct)/13, *r.ID.Accuracy, 1e-8)
	average := [2]float64{}
	for name, spec := range map[string]string{"noise": w.path("noise.npy"), "dark": w.path("dark.npz")} {
		ood := scores(spec)
		m, err := metrics.Evaluate(scores(w.path("test.npz")), ood)
		require.NoError(t, err)
		got := r.Methods["line"].OOD[name]
		require.Equal(t, len(ood), got.N)
		require.InDeltaSlice(t, []float64{m.FPR95, m.AUROC, m.AUPRIn, m.AUPROut, m.FPR95OpenOOD, m.DTERR},
			[]float64{got.FPR95 / 100, got.AUROC / 100, got.AUPR_in / 100, got.AUPR_out / 100, got.FPR95_OpenOOD / 100,
				got.DTERR / 100}, 1e-10)
		average[0] += got.FPR95 / 2
		average[1] += got.AUROC / 2
	}
	require.NotContains(t, []float64{0, 100}, average[1], "the scores must overlap for the test to say much")
	got := r.Methods["line"].Average
	require.InDeltaSlice(t, average[:], []float64{got.FPR95, got.AUROC}, 1e-8)
}

// TestEvalOutputs: table, JSON, CSV and report hold the same numbers.
func TestEvalOutputs(t *testing.T) {
	w := newWorld(t)
	stdout := must(t, w.eval("--json", w.path("out.json"), "--csv", w.path("out.csv"), "--report", w.path("out.html"),
		"--param", "react.percentile=80", "--without", "ap", "--bootstrap", "30")...)
	var r evalFile
	readJSON(t, w.path("out.json"), &r)
	names := []string{"line", "msp", "maxlogit", "energy", "react", "dice"}
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(r.Methods)))
	require.Equal(t, map[string]any{"p_a": "off", "p_w": 90.0, "clip": 1.0}, r.Methods["line"].Params)
	require.Equal(t, map[string]any{"percentile": 80.0}, r.Methods["react"].Params)
	require.Equal(t, 30, r.Bootstrap.Resamples)
	require.Equal(t, 95.0, r.Bootstrap.Level)
	require.NotNil(t, r.ID.Accuracy_ci)

	var order []string
	rates, _, _ := strings.Cut(stdout, "\n\n") // the tables behind the first are cut off
	for line := range strings.Lines(rates) {
		for _, name := range names {
			if strings.Contains(line, "│ "+name+" ") {
				order = append(order, name)
				for _, o := range r.Methods[name].OOD {
					require.Contains(t, line, fmt.Sprintf("%.2f / %5.2f", o.FPR95, o.AUROC), name)
				}
			}
		}
	}
	require.Equal(t, names, order, stdout)
	require.NotContains(t, stdout, "\x1b", "no colours where there is no terminal")

	records, err := csv.NewReader(strings.NewReader(contents(t, w.path("out.csv")))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 1+6*2)
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	for _, row := range records[1:] {
		o := r.Methods[row[0]].OOD[row[1]]
		require.Equal(t, fmt.Sprint(o.FPR95), row[column["fpr95"]])
		require.Equal(t, fmt.Sprint(o.AUROC_ci[1]), row[column["auroc_hi"]])
	}

	page := contents(t, w.path("out.html"))
	for _, want := range []string{
		"<svg", "goline eval --net " + worldNet, "react.percentile=80", r.Weights.SHA256, w.path("train.npz"),
		w.path("noise.npy"),
		"gorgonia", "kernels ", "<dt>Seed</dt>",
	} {
		require.Contains(t, page, want)
	}
	require.Equal(t, 18, strings.Count(page, "<svg"),
		"curves for each set, coverage, histograms for each method and set")
}

// TestEvalUnlabelledID: without labels of the ID set only the accuracy is unknown. Labels of OOD sets are ignored.
func TestEvalUnlabelledID(t *testing.T) {
	w := newWorld(t)
	out := w.path("out.json")
	args := join([]string{"eval", "--fit", w.path("train.npz"), "--json", out, "--id", w.path("noise.npy")}, w.net())
	stdout := must(t, append(args, "--ood", "test="+w.path("test.npz"))...)
	require.NotContains(t, stdout, "accuracy")
	var r evalFile
	readJSON(t, out, &r)
	require.Nil(t, r.ID.Accuracy)
	require.Contains(t, contents(t, out), `"accuracy": null`)

	w.writeImages(t, "many.npz", 5, 9, 0, []int64{0, 200, 3, -1, 7})
	must(t, append(args, "--ood", "many="+w.path("many.npz"))...)
}

func TestEvalNeedsNoLabelsWithoutLINe(t *testing.T) {
	w := newWorld(t)
	args := join([]string{"eval", "--fit", w.path("dark.npz"), "--id", w.path("test.npz"), "--ood",
		"n=" + w.path("noise.npy")}, w.net())
	must(t, append(args, "--methods", "react, dice ,msp")...)
	require.Contains(t, fails(t, args...), "dark.npz: the images have no labels, which fitting needs")
}

// untimed removes the times, which differ from run to run.
func untimed(s string) string {
	return regexp.MustCompile(`"(fit_seconds|us_per_sample)": [^,\n]*`).ReplaceAllString(s, "$1")
}

// TestNothingShowsInTheResult: batch size, workers and progress do not change a byte of any output.
func TestNothingShowsInTheResult(t *testing.T) {
	w := newWorld(t)
	outputs := func(flags []string) map[string]string {
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		for _, args := range [][]string{
			join([]string{"features", "--data", w.path("test.npz"), "--out", at("f.npz")}, w.net(), flags),
			join([]string{"fit", "--data", w.path("train.npz"), "--out", at("det.npz")}, w.net(), flags),
			join([]string{"score", "--detector", at("det.npz"), "--data", w.path("test.npz"), "--out", at("s.csv")},
				flags),
			join([]string{"score", "--detector", at("det.npz"), "--data", w.path("test.npz"), "--out", at("s.jsonl")},
				flags),
			join([]string{"score", "--detector", at("det.npz"), "--data", w.path("test.npz"), "--out", at("s.npz")},
				flags),
			join(w.eval("--json", at("e.json"), "--features-dir", at("kept"), "--bootstrap", "20"), flags),
		} {
			code, _, stderr := runGoline(args...)
			require.Equal(t, exitDone, code, stderr)
		}
		out := map[string]string{}
		for _, name := range []string{"f.npz", "det.npz", "s.csv", "s.jsonl", "s.npz", "e.json",
			"kept/fit.npz", "kept/id.npz", "kept/ood-noise.npz", "kept/ood-dark.npz"} {
			out[name] = untimed(contents(t, at(name)))
		}
		return out
	}
	want := outputs(nil)
	for _, flags := range [][]string{
		{"--batch", "1", "--workers", "1"}, {"--batch", "32", "--workers", "3", "--progress", "always"},
		{"--batch", "3", "--workers", "7", "--progress", "never", "--device", "cpu"},
	} {
		for name, got := range outputs(flags) {
			require.True(t, want[name] == got, "%s differs with %q", name, flags)
		}
	}
	for name, got := range outputs([]string{"--seed", "77"}) {
		if name != "e.json" {
			require.True(t, want[name] == got, "%s depends on the seed", name)
		}
	}
}

// TestSeedMovesIntervalsAlone: only results of sampling depend on the seed.
func TestSeedMovesIntervalsAlone(t *testing.T) {
	w := newWorld(t)
	read := func(seed string) (r evalFile) {
		must(t, w.eval("--json", w.path("out.json"), "--bootstrap", "25", "--seed", seed)...)
		readJSON(t, w.path("out.json"), &r)
		return r
	}
	a, b, again := read("1"), read("2"), read("1")
	moved := false
	for name, m := range a.Methods {
		for set, o := range m.OOD {
			p := b.Methods[name].OOD[set]
			require.Equal(t, []float64{o.FPR95, o.AUROC, o.AUPR_in, o.AUPR_out, o.DTERR},
				[]float64{p.FPR95, p.AUROC, p.AUPR_in, p.AUPR_out, p.DTERR})
			require.Equal(t, o, again.Methods[name].OOD[set])
			moved = moved || *o.AUROC_ci != *p.AUROC_ci
			require.False(t, math.IsNaN(o.AUROC_ci[0]))
		}
	}
	require.True(t, moved)
}

// TestFeaturesDir: features are kept, found again, and computed again when anything that they depend on has changed.
func TestFeaturesDir(t *testing.T) {
	w := newWorld(t)
	kept := w.path("deep/kept")
	result := func() string {
		must(t, w.eval("--json", w.path("out.json"), "--features-dir", kept)...)
		return untimed(contents(t, w.path("out.json")))
	}
	must(t, w.eval("--json", w.path("out.json"))...)
	without := untimed(contents(t, w.path("out.json")))
	require.Equal(t, without, result(), "computed and kept")
	require.ElementsMatch(t, []string{"fit.npz", "id.npz", "ood-noise.npz", "ood-dark.npz", "scores"}, entries(t, kept))
	require.Equal(t, without, result(), "found again")

	// The kept file is really read: a change of its content is noticed.
	path := filepath.Join(kept, "ood-noise.npz")
	whole := contents(t, path)
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	var arrays []npyz.Named
	for name, array := range a.All() {
		if name == "logits" {
			array.Data.([]float32)[0] += 1000
		}
		arrays = append(arrays, npyz.Named{Name: name, Array: array})
	}
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, arrays...))
	require.Contains(t, fails(t, w.eval("--features-dir", kept)...),
		path+": features, logits or labels are not those that were kept (delete the file")
	require.NoError(t, writeFile(path, whole))

	// After a change of one pixel, one weight or one label, everything that depends on it is computed again.
	noise := pixels(9, 4, 0)
	noise[8*3072+1000]++
	require.NoError(t, npyz.WriteNpyFile(w.path("noise.npy"), npyz.New(noise, 9, 32, 32, 3)))
	result()
	require.NotEqual(t, whole, contents(t, path))
	require.NoError(t, npyz.WriteNpyFile(w.path("noise.npy"), npyz.New(pixels(9, 4, 0), 9, 32, 32, 3)))
	require.Equal(t, without, result())
	require.Equal(t, whole, contents(t, path))
	labels := roundLabels(13)
	labels[12] = 1 // the class that the network predicts
	w.writeImages(t, "test.npz", 13, 2, 20, labels)
	require.NotEqual(t, without, result())
	w.writeImages(t, "test.npz", 13, 2, 20, roundLabels(13))
	require.Equal(t, without, result())

	for name, damage := range map[string]string{"cut": whole[:len(whole)/2], "empty": "", "text": "hello"} {
		require.NoError(t, writeFile(path, damage))
		message := fails(t, w.eval("--features-dir", kept)...)
		require.Contains(t, message, path, name)
		require.Contains(t, message, "delete the file", name)
	}
	// Files with changed arrays, with one row fewer, and with the labels of other images.
	kept1, err := npyz.ReadNpz(func() string { require.NoError(t, writeFile(path, whole)); return path }())
	require.NoError(t, err)
	change := func(edit func(name string, a npyz.Array) npyz.Array) {
		var arrays []npyz.Named
		for name, a := range kept1.All() {
			arrays = append(arrays, npyz.Named{Name: name, Array: edit(name, a)})
		}
		require.NoError(t, npyz.WriteNpz(path, npyz.Stored, arrays...))
		message := fails(t, w.eval("--features-dir", kept)...)
		require.Contains(t, message, path+": features, logits or labels are not those that were kept (delete the file")
	}
	change(func(name string, a npyz.Array) npyz.Array {
		if values, ok := a.Data.([]float32); ok && name == "features" {
			more := slices.Clone(values)
			more[1]++
			return npyz.New(more, a.Shape...)
		}
		return a
	})
	change(func(_ string, a npyz.Array) npyz.Array {
		if len(a.Shape) == 0 {
			return a
		}
		n := a.Shape[0] - 1
		shape := append([]int{n}, a.Shape[1:]...)
		switch values := a.Data.(type) {
		case []float32:
			return npyz.New(values[:len(values)/(n+1)*n], shape...)
		case []int64:
			return npyz.New(values[:n], shape...)
		}
		return a
	})
	change(func(name string, a npyz.Array) npyz.Array {
		if labels, ok := a.Data.([]int64); ok && name == "labels" {
			more := slices.Clone(labels)
			more[0]++
			return npyz.New(more)
		}
		return a
	})
	// A file that was not written as kept features is not replaced.
	must(t, join([]string{"features", "--data", w.path("noise.npy"), "--out", path}, w.net())...)
	mine := contents(t, path)
	require.Contains(t, fails(t, w.eval("--features-dir", kept)...),
		path+" is not a file of kept features, and is not replaced")
	require.Equal(t, mine, contents(t, path))

	require.Contains(t, fails(t, w.eval("--features-dir", w.path("net.npz"))...), "--features-dir "+w.path("net.npz"))
}
