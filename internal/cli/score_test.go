package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// scoreRow is one image of a scores file, whatever its format.
type scoreRow struct {
	id         string
	score      float64
	prediction int
	label      int
}

// wantRows scores a set through the library.
func wantRows(t testing.TB, detector, spec string) (rows []scoreRow) {
	t.Helper()
	det, err := line.Load(detector)
	require.NoError(t, err)
	set, err := dataset.Open(spec)
	require.NoError(t, err)
	defer set.Close()
	s, err := det.Score(context.Background(), dataset.Batches(context.Background(), set, nets.CIFAR(),
		dataset.BatchOptions{}))
	require.NoError(t, err)
	for i, v := range s.Score {
		rows = append(rows, scoreRow{set.ID(i), v, s.Prediction[i], s.Label[i]})
	}
	return rows
}

func readScoresCSV(t testing.TB, path string) (rows []scoreRow) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(contents(t, path))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"id", "score", "prediction", "label", "ood"}, records[0])
	for _, r := range records[1:] {
		row := scoreRow{id: r[0], label: -1}
		if row.score, err = strconv.ParseFloat(r[1], 64); err == nil {
			row.prediction, err = strconv.Atoi(r[2])
		}
		require.NoError(t, err)
		if r[3] != "" {
			row.label, err = strconv.Atoi(r[3])
			require.NoError(t, err)
		}
		rows = append(rows, row)
	}
	return rows
}

func readScoresJSONL(t testing.TB, path string) (rows []scoreRow) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(contents(t, path)))
	for lines.Scan() {
		var r struct {
			ID         *string
			Score      *float64
			Prediction *int
			Label      *int
			OOD        *bool
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&r))
		require.Contains(t, lines.Text(), `"label":`, "an unknown label is null, not left out")
		require.Contains(t, lines.Text(), `"ood":`)
		row := scoreRow{*r.ID, *r.Score, *r.Prediction, -1}
		if r.Label != nil {
			row.label = *r.Label
		}
		rows = append(rows, row)
	}
	return rows
}

func readScoresNpz(t testing.TB, path string) (rows []scoreRow) {
	t.Helper()
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	require.Subset(t, []string{"ids", "scores", "predictions", "labels", "ood", "threshold"}, a.Names())
	types := map[string]string{"ids": "string", "scores": "float64", "predictions": "int64", "labels": "int64",
		"ood": "bool", "threshold": "float64"}
	for name, array := range a.All() {
		require.Equal(t, types[name], array.TypeName(), name)
		if name != "threshold" {
			require.Len(t, array.Shape, 1, name)
		}
	}
	ids, err := a.Strings("ids", -1)
	require.NoError(t, err)
	scores, err := a.Float64("scores", len(ids))
	require.NoError(t, err)
	predictions, err := a.Ints("predictions", len(ids))
	require.NoError(t, err)
	labels, err := a.Ints("labels", len(ids))
	require.NoError(t, err)
	for i, id := range ids {
		rows = append(rows, scoreRow{id, scores[i], predictions[i], labels[i]})
	}
	return rows
}

// TestScore: files of every format hold the library's scores in full precision, for labelled, unlabelled and oddly
// named images.
func TestScore(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	readers := map[string]func(testing.TB, string) []scoreRow{
		".csv": readScoresCSV, ".jsonl": readScoresJSONL, ".npz": readScoresNpz, ".CSV": readScoresCSV,
	}
	for _, spec := range []string{w.path("test.npz"), w.path("noise.npy"), w.path("pictures")} {
		want := wantRows(t, det, spec)
		for ext, read := range readers {
			out := filepath.Join(t.TempDir(), "scores"+ext)
			stdout := must(t, "score", "--detector", det, "--data", spec, "--out", out)
			require.Regexp(t, fmt.Sprintf(`^%s: %d images, \d+ of them ood \(score at or below \S+\)\n$`,
				regexp.QuoteMeta(out), len(want)), stdout)
			require.Equal(t, want, read(t, out), "%s of %s", ext, spec)
		}
	}
}

// TestScoreVerdicts: an image is OOD unless its score is above the threshold, which is the detector's own, one for
// another rate, or one given by the user.
func TestScoreVerdicts(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	d, err := line.Load(det)
	require.NoError(t, err)
	verdicts := func(args ...string) (rows [][]string) {
		stdout := must(t, append([]string{"score", "--detector", det, "--data", w.path("train.npz"), "--out", "-"},
			args...)...)
		rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
		require.NoError(t, err)
		require.Equal(t, []string{"id", "score", "prediction", "label", "ood"}, rows[0])
		return rows[1:]
	}
	check := func(threshold float64, rows [][]string) (ood int) {
		for _, row := range rows {
			score, err := strconv.ParseFloat(row[1], 64)
			require.NoError(t, err)
			require.Equal(t, strconv.FormatBool(score <= threshold), row[4])
			if row[4] == "true" {
				ood++
			}
		}
		return ood
	}
	own, err := d.FitThreshold()
	require.NoError(t, err)
	require.Equal(t, 2, check(own, verdicts()), "round(0.05 · 21) is 1, and the image at that index does not pass")
	half, err := d.Threshold(0.5)
	require.NoError(t, err)
	require.Equal(t, 11, check(half, verdicts("--tpr", "50")))
	require.Equal(t, 21, check(1e9, verdicts("--threshold", "1e9")))
	require.Zero(t, check(-1e9, verdicts("--threshold", "-1e9")))

	old, err := line.New(context.Background(), d.Network(), d.Contributions(), d.Options())
	require.NoError(t, err)
	det = w.path("old.npz")
	require.NoError(t, old.Save(det))
	for _, row := range verdicts() {
		require.Empty(t, row[4])
	}
	require.Contains(t, must(t, "score", "--detector", det, "--data", w.path("train.npz"), "--out", w.path("s.jsonl")),
		"holds no threshold")
	require.Contains(t, contents(t, w.path("s.jsonl")), `"ood":null`)
	require.Contains(t, fails(t, "score", "--detector", det, "--data", w.path("train.npz"), "--out", "-", "--tpr",
		"90"), "no threshold")
	require.Equal(t, 21, check(1e9, verdicts("--threshold", "1e9")))
	for _, args := range [][]string{{"--tpr", "0"}, {"--tpr", "100"}, {"--tpr", "NaN"}, {"--threshold", "Inf"},
		{"--threshold", "1", "--tpr", "90"}} {
		code, _, stderr := runGoline(append([]string{"score", "--detector", det, "--data", w.path("train.npz"), "--out",
			"-"}, args...)...)
		require.Equal(t, exitUsage, code, stderr)
	}
}

// TestScoreChecksTheNetwork: a detector must belong to the network of --net and --weights.
func TestScoreChecksTheNetwork(t *testing.T) {
	w := newWorld(t)
	det, out := w.fit(t), filepath.Join(t.TempDir(), "s.csv")
	args := []string{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", out}
	must(t, args...)
	want := contents(t, out)
	must(t, join(args, w.net())...)
	require.Equal(t, want, contents(t, out))

	other := newWorld(t)
	net, err := nets.Open(worldNet, other.path("net.npz"))
	require.NoError(t, err)
	net.Params()[0].Float32s()[0] += 1
	other.writeNet(t, "net.npz", net)
	require.Contains(t, fails(t, join(args, other.net())...), "fitted to a densenet-bc-10-4 with other weights")
	code, _, stderr := runGoline(append(args, "--net", worldNet)...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--weights is required")
}

// TestFitFlags: each of LINe's flags reaches the detector.
func TestFitFlags(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		args []string
		want line.Options
	}{
		{nil, line.Options{ActivationPercentile: 90, WeightPercentile: 90, Clip: 1}},
		{[]string{"--p-a", "10", "--p-w=70.5", "--clip", "0.8"}, line.Options{ActivationPercentile: 10,
			WeightPercentile: 70.5, Clip: 0.8}},
		{[]string{"--p-a", "0", "--p-w", "0"}, line.Options{ActivationPercentile: line.Percent(0),
			WeightPercentile: line.Percent(0), Clip: 1}},
		{[]string{"--clip-percentile", "85"}, line.Options{ActivationPercentile: 90, WeightPercentile: 90,
			ClipPercentile: 85}},
		{[]string{"--clip-percentile=85", "--clip-per-class"}, line.Options{
			ActivationPercentile: 90, WeightPercentile: 90, ClipPercentile: 85, ClipPerClass: true,
		}},
		{[]string{"--without", "ac", "--without", "AP"}, line.Options{
			ActivationPercentile: 90, WeightPercentile: 90, Clip: 1, NoClipping: true, NoActivationPruning: true,
		}},
		{[]string{"--without", "wp, ac,ap", "--clip", "-1"}, line.Options{
			ActivationPercentile: 90, WeightPercentile: 90, Clip: -1, NoClipping: true, NoActivationPruning: true,
			NoWeightPruning: true,
		}},
	} {
		det, err := line.Load(w.fit(t, c.args...))
		require.NoError(t, err)
		require.Equal(t, c.want, det.Options(), c.args)
		require.Equal(t, 7, det.Contributions().Count(1))
	}
}
