package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

// calibrated fits a detector to the world's training images and calibrates it on held-out ones.
func (w world) calibrated(t testing.TB, images int, more ...string) (detector, said string) {
	t.Helper()
	w.writeImages(t, "held.npz", images, 9, 20, nil)
	out := filepath.Join(t.TempDir(), "calibrated.npz")
	said = must(t, join([]string{"calibrate", "--detector", w.fit(t), "--data", w.path("held.npz"), "--out", out},
		more)...)
	return out, said
}

func TestCalibrateCommand(t *testing.T) {
	w := newWorld(t)
	det, said := w.calibrated(t, 60)
	d, err := line.Load(det)
	require.NoError(t, err)
	require.Len(t, d.FitPictures(), 21)
	require.Len(t, d.CalibrationPictures(), 60)
	held := wantRows(t, det, w.path("held.npz"))
	c, err := d.Calibrator()
	require.NoError(t, err)
	th, err := c.Thresholds(0.05)
	require.NoError(t, err)
	require.Equal(t, 3, th[0].Rank)
	below := 0
	for _, r := range held {
		below += b2i(r.score < th[0].Score)
	}
	require.Equal(t, 2, below)
	bound, err := th[0].Bound(0.1)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`%s: calibrated on 60 images
of in-distribution images at most 5 %% are called ood, on average over calibrations
threshold: a score below %.6g, the 3rd lowest of 60
the realised rate of this threshold is at most %.4g %% with probability 90 %%
`, det, th[0].Score, 100*bound), said)

	// The commands inspect and export know the calibration.
	facts := must(t, "inspect", det)
	for _, want := range []string{"fitted pictures known  21", "calibration images     60",
		"calibration alpha      0.05", "calibration adjustment marginal", "calibration threshold"} {
		require.Contains(t, facts, want)
	}
	var inspected map[string]any
	require.NoError(t, json.Unmarshal([]byte(must(t, "inspect", det, "--json")), &inspected))
	require.Equal(t, th[0].Score, inspected["calibration_threshold"])
	require.InDelta(t, bound, inspected["calibration_rate_bound"], 1e-12)
	onnx := w.path("det.onnx")
	must(t, "export", "--detector", det, "--out", onnx)
	require.Contains(t, must(t, "inspect", onnx), "threshold calibrated")

	// Calibrating again replaces the calibration.
	again := w.path("again.npz")
	must(t, "calibrate", "--detector", det, "--data", w.path("held.npz"), "--out", again, "--alpha", "0.2", "--adjust",
		"pointwise", "--delta", "0.3")
	require.Contains(t, must(t, "inspect", again), "calibration adjustment pointwise")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestCalibratePerClass(t *testing.T) {
	w := newWorld(t)
	det, said := w.calibrated(t, 90, "--per-class", "--class-min", "25", "--alpha", "0.1")
	require.Contains(t, said, "compared with")
	require.Contains(t, said, "class")
	d, err := line.Load(det)
	require.NoError(t, err)
	c, err := d.Calibrator()
	require.NoError(t, err)
	require.NotNil(t, c.PerClass())
	require.Contains(t, must(t, "inspect", det), "calibration per class  25")
	out := w.path("s.npz")
	require.Contains(t, must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", out),
		"(p-value at most 0.1, by predicted class)")
	a, err := npyz.ReadNpz(out)
	require.NoError(t, err)
	p, err := a.Float64("p_values", -1)
	require.NoError(t, err)
	_, err = a.Float64("thresholds", worldClasses)
	require.NoError(t, err)
	require.False(t, a.Has("threshold"))
	for i, r := range wantRows(t, det, w.path("test.npz")) {
		require.Equal(t, c.PValue(r.score, r.prediction), p[i])
	}
	must(t, "export", "--detector", det, "--out", w.path("per.onnx"))
}

func TestCalibrateRefuses(t *testing.T) {
	w := newWorld(t)
	det, out := w.fit(t), w.path("out.npz")
	args := []string{"calibrate", "--detector", det, "--out", out, "--data"}
	require.Contains(t, fails(t, append(args, w.path("train.npz"))...),
		"expected images that the detector was not fitted to, but 21 of 21 are some, the first of them train.npz#0")
	require.Contains(t, fails(t, append(args, w.path("test.npz"))...),
		"a false-alarm rate of 0.05: expected at least 19 calibration samples, got 13")
	require.Contains(t, fails(t, append(args, w.path("missing.npz"))...), "missing.npz")
	require.NoFileExists(t, out)
	for _, bad := range [][]string{
		{"--alpha", "0"}, {"--alpha", "1"}, {"--alpha", "NaN"}, {"--delta", "1"}, {"--adjust", "bonferroni"},
		{"--per-class", "--class-min", "0"}, {"--class-min", "5"},
	} {
		code, _, stderr := runGoline(append(append(args, w.path("test.npz")), bad...)...)
		require.Equal(t, exitUsage, code, "%q: %s", bad, stderr)
	}
	code, _, _ := runGoline("calibrate", "--detector", det, "--data", w.path("test.npz"), "--out", det)
	require.Equal(t, exitUsage, code, "the detector is not overwritten")

	// A detector that does not know the images it was fitted to is calibrated with a warning.
	d, err := line.Load(det)
	require.NoError(t, err)
	require.NoError(t, d.WithFitPictures(nil).Save(det))
	code, stdout, stderr := runGoline("calibrate", "--detector", det, "--data", w.path("train.npz"), "--out", out)
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stderr, "does not say which images it was fitted to: that these are others cannot be checked")
	require.Contains(t, stdout, "calibrated on 21 images")
}

// calibratedRow is the row of one image in a calibrated detector's scores.
type calibratedRow struct {
	ID         string
	Score      float64
	Prediction int
	OOD        *bool
	P          *float64 `json:"p_value"`
	Martingale *float64
	Alarm      *bool
}

func jsonlRows(t testing.TB, path string) (rows []calibratedRow) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(contents(t, path)))
	for lines.Scan() {
		var r calibratedRow
		require.NoError(t, json.NewDecoder(bytes.NewReader(lines.Bytes())).Decode(&r))
		rows = append(rows, r)
	}
	return rows
}

// TestScoreCalibrated: files of every format hold the p-values and verdicts that the library computes.
func TestScoreCalibrated(t *testing.T) {
	w := newWorld(t)
	det, _ := w.calibrated(t, 60)
	d, err := line.Load(det)
	require.NoError(t, err)
	want := wantRows(t, det, w.path("test.npz"))
	record, err := d.CalibrationRecord()
	require.NoError(t, err)
	for _, c := range []struct {
		args []string
		o    conformal.Options
	}{
		{nil, conformal.Options{}},
		{[]string{"--alpha", "0.5"}, conformal.Options{Alpha: 0.5}},
		{[]string{"--alpha", "0.5", "--adjust", "simes", "--delta", "0.2"},
			conformal.Options{Alpha: 0.5, Adjustment: conformal.Simes, Delta: 0.2}},
	} {
		record.Options = c.o
		cal, err := conformal.NewCalibrator(record)
		require.NoError(t, err)
		th, err := cal.Thresholds(cal.Options().Alpha)
		require.NoError(t, err)
		verdict := func(r scoreRow) (p float64, ood bool) {
			p = cal.PValue(r.score, r.prediction)
			require.Equal(t, p <= cal.Options().Alpha, r.score < th[0].Score)
			return p, p <= cal.Options().Alpha
		}
		args := join([]string{"score", "--detector", det, "--data", w.path("test.npz")}, c.args)

		rows, err := csv.NewReader(strings.NewReader(must(t, append(args, "--out", "-")...))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"id", "score", "prediction", "label", "ood", "p_value"}, rows[0])
		require.Contains(t, must(t, append(args, "--out", w.path("s.jsonl"))...),
			fmt.Sprintf("(p-value at most %v: score below ", cal.Options().Alpha))
		lines := jsonlRows(t, w.path("s.jsonl"))
		must(t, append(args, "--out", w.path("s.npz"))...)
		a, err := npyz.ReadNpz(w.path("s.npz"))
		require.NoError(t, err)
		ps, err := a.Float64("p_values", len(want))
		require.NoError(t, err)
		threshold, err := a.Float64("threshold")
		require.NoError(t, err)
		require.Equal(t, th[0].Score, threshold[0])
		flags, err := a.Get("ood")
		require.NoError(t, err)
		for i, r := range want {
			p, ood := verdict(r)
			require.Equal(t, []string{strconv.FormatBool(ood), strconv.FormatFloat(p, 'g', -1, 64)}, rows[i+1][4:])
			require.Equal(t, calibratedRow{ID: r.id, Score: r.score, Prediction: r.prediction, OOD: &ood, P: &p},
				lines[i])
			require.Equal(t, p, ps[i])
			require.Equal(t, ood, flags.Data.([]bool)[i])
		}
	}
	require.Contains(t, fails(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", "-", "--alpha",
		"0.001"),
		"a false-alarm rate of 0.001: expected at least 999 calibration samples, got 60")

	// A threshold given by the user decides, and p-values are still written.
	out := must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", "-", "--threshold", "1e9")
	require.Equal(t, len(want), strings.Count(out, ",true,"))

	// Images to which the detector was fitted or calibrated are counted.
	code, _, stderr := runGoline("score", "--detector", det, "--data", w.path("held.npz"), "--out", w.path("s.csv"))
	require.Equal(t, exitDone, code)
	require.Contains(t, stderr, "60 of the images are some that the detector was fitted to or calibrated on")
}

// TestScoreFalseDiscoveryRate: verdicts are those of the library's procedures.
func TestScoreFalseDiscoveryRate(t *testing.T) {
	w := newWorld(t)
	det, _ := w.calibrated(t, 60)
	spec := w.path("test.npz")
	p := []float64{}
	for _, r := range calibratedRows(t, det, spec) {
		p = append(p, *r.P)
	}
	want := map[string][]bool{}
	var err error
	want["bh"], err = conformal.BenjaminiHochberg(p, 0.6)
	require.NoError(t, err)
	want["by"], err = conformal.BenjaminiYekutieli(p, 0.6)
	require.NoError(t, err)
	want["storey"], err = conformal.Storey(p, 0.6, conformal.GridPoint(0.5, 60))
	require.NoError(t, err)
	for _, procedure := range conformal.Procedures() {
		o := conformal.OnlineOptions{Procedure: procedure, Alpha: 0.6}
		if procedure == conformal.ADDIS {
			o.Tau = conformal.GridPoint(0.5, 60)
		}
		test, err := conformal.NewOnline(o)
		require.NoError(t, err)
		for _, v := range p {
			d, err := test.Test(v)
			require.NoError(t, err)
			want[string(procedure)] = append(want[string(procedure)], d.Reject)
		}
	}
	for name, reject := range want {
		code, stdout, stderr := runGoline("score", "--detector", det, "--data", spec, "--out", w.path("s.jsonl"),
			"--fdr", name, "--alpha", "0.6")
		require.Equal(t, exitDone, code, stderr)
		require.Contains(t, stdout, fmt.Sprintf("(false discovery rate 0.6, %s)", name))
		dependent := name == "lord++" || name == "saffron" || name == "addis"
		require.Equal(t, dependent, strings.Contains(stderr, "--adjust simes makes it hold"), "%s: %s", name, stderr)
		for i, r := range jsonlRows(t, w.path("s.jsonl")) {
			require.Equal(t, reject[i], *r.OOD, "%s, image %d", name, i)
		}
	}
	must(t, "score", "--detector", det, "--data", spec, "--out", "-", "--fdr", "saffron", "--adjust", "simes")
}

func calibratedRows(t testing.TB, det, spec string, more ...string) []calibratedRow {
	t.Helper()
	out := filepath.Join(t.TempDir(), "s.jsonl")
	must(t, join([]string{"score", "--detector", det, "--data", spec, "--out", out}, more)...)
	return jsonlRows(t, out)
}

// TestScoreStream: the rows are those of a run over the whole set, with the library's martingale in further columns, in
// every format. Dark images raise an alarm.
func TestScoreStream(t *testing.T) {
	w := newWorld(t)
	det, _ := w.calibrated(t, 60)
	d, err := line.Load(det)
	require.NoError(t, err)
	c, err := d.Calibrator()
	require.NoError(t, err)
	for _, spec := range []string{w.path("test.npz"), w.path("pictures")} {
		whole := calibratedRows(t, det, spec)
		drift, err := conformal.NewDrift(c.All(), conformal.DriftOptions{Level: 0.5, Betting: conformal.Power, Seed: 4})
		require.NoError(t, err)
		for i := range whole {
			e, err := drift.Observe(whole[i].Score)
			require.NoError(t, err)
			value := e.Value()
			whole[i].Martingale, whole[i].Alarm = &value, &e.Alarm
		}
		flags := []string{"--stream", "--alarm-level", "0.5", "--betting", "power", "--seed", "4"}
		for _, batch := range []string{"1", "3"} {
			require.Equal(t, whole, calibratedRows(t, det, spec, append(flags, "--batch", batch)...))
		}
		args := join([]string{"score", "--detector", det, "--data", spec}, flags)
		rows, err := csv.NewReader(strings.NewReader(must(t, append(args, "--out", "-")...))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"id", "score", "prediction", "label", "ood", "p_value", "martingale", "alarm"},
			rows[0])
		said := must(t, append(args, "--out", w.path("s.npz"))...)
		require.Contains(t, said, "; martingale ")
		a, err := npyz.ReadNpz(w.path("s.npz"))
		require.NoError(t, err)
		values, err := a.Float64("martingale", len(whole))
		require.NoError(t, err)
		alarms, err := a.Get("alarm")
		require.NoError(t, err)
		for i, r := range whole {
			require.Equal(t, strconv.FormatFloat(*r.Martingale, 'g', -1, 64), rows[i+1][6])
			require.Equal(t, strconv.FormatBool(*r.Alarm), rows[i+1][7])
			require.Equal(t, *r.Martingale, values[i])
			require.Equal(t, *r.Alarm, alarms.Data.([]bool)[i])
		}
	}

	// Each row has its image's label; a class name follows it.
	require.NoError(t, writeFile(w.path("classes.txt"), "cat\ndog\nowl\n"))
	out := must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", "-", "--stream", "--class-names",
		w.path("classes.txt"))
	require.Regexp(t, `(?m)^.*#1,.*,(cat|dog|owl),dog$`, out)

	// Images far from the training set make the martingale's capital grow, and the alarm names the image.
	w.writeImages(t, "far.npz", 40, 5, 250, nil)
	said := must(t, "score", "--detector", det, "--data", w.path("far.npz"), "--out", w.path("far.csv"), "--stream",
		"--fdr", "lond")
	require.Contains(t, said, "false discovery rate 0.05, lond")
	t.Log(said)
}

func TestScoreCalibratedUsage(t *testing.T) {
	w := newWorld(t)
	plain := w.fit(t)
	for _, flag := range [][]string{{"--alpha", "0.1"}, {"--fdr", "bh"}, {"--stream"}, {"--adjust", "simes"},
		{"--delta", "0.2"}} {
		message := fails(t, join([]string{"score", "--detector", plain, "--data", w.path("test.npz"), "--out", "-"},
			flag)...)
		require.Contains(t, message, flag[0]+" asks for a calibrated detector: goline calibrate makes one")
	}
	for want, flags := range map[string][]string{
		"--alpha 0: expected a share":                  {"--alpha", "0"},
		"--adjust \"x\": expected marginal, pointwise": {"--adjust", "x"},
		"--fdr \"x\": expected one of bh, storey, by":  {"--fdr", "x"},
		"--fdr bh decides over a whole set":            {"--fdr", "bh", "--stream"},
		"--alarm-level 2: expected a probability":      {"--stream", "--alarm-level", "2"},
		"--betting \"x\": expected jumper":             {"--stream", "--betting", "x"},
		"--betting is of --stream":                     {"--betting", "power"},
		"--alpha and --threshold or --tpr both choose": {"--alpha", "0.1", "--threshold", "1"},
		"--fdr and --threshold or --tpr both choose":   {"--fdr", "bh", "--tpr", "90"},
	} {
		code, _, stderr := runGoline(join([]string{"score", "--detector", plain, "--data", w.path("test.npz"), "--out",
			"-"}, flags)...)
		require.Equal(t, exitUsage, code, "%q: %s", flags, stderr)
		require.Contains(t, stderr, want)
	}
}

// TestMartingaleIsFinite: the capital is written as a finite number in every format, since JSON has no infinity.
func TestMartingaleIsFinite(t *testing.T) {
	r := scoredImage{evidence: conformal.Evidence{Log: 1e6}}
	require.Equal(t, math.MaxFloat64, r.martingale())
}

// TestNumpyReadsCalibrations: numpy finds the numbers of a calibration under plain names.
func TestNumpyReadsCalibrations(t *testing.T) {
	python := peertest.Python(t, "numpy")
	w := newWorld(t)
	det, _ := w.calibrated(t, 60)
	out, err := exec.Command(python, "-c", `
import sys, numpy as np
d = np.load(sys.argv[1])
s = d["calibration_scores"]
assert (np.diff(s) >= 0).all() and len(d["calibration_predictions"]) == 60
assert d["fit_pictures"].shape == (21, 32) and d["calibration_pictures"].shape == (60, 32)
print(s[int((len(s) + 1) * float(d["calibration_alpha"])) - 1])
`, det).CombinedOutput()
	require.NoError(t, err, string(out))
	d, err := line.Load(det)
	require.NoError(t, err)
	c, err := d.Calibrator()
	require.NoError(t, err)
	th, err := c.Thresholds(0.05)
	require.NoError(t, err)
	got, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(t, err)
	require.Equal(t, th[0].Score, got)
}
