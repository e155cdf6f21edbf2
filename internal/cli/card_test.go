package cli

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/bench"
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// TestNoCard: where there is no driver, every command that would need one says so in one line.
func TestNoCard(t *testing.T) {
	w := newWorld(t)
	t.Setenv(cuda.DriverVariable, filepath.Join(t.TempDir(), "libnone.so"))
	for _, args := range [][]string{
		w.eval("--device", "cuda"),
		join([]string{"features", "--data", w.path("test.npz"), "--out", w.path("f.npz"), "--device", "cuda:1"},
			w.net()),
		{"train", "--net", "resnet-fashion-8-2", "--data", trainData(t, t.TempDir()), "--epochs", "1", "--batch", "20",
			"--out", w.path("m.npz"), "--device", "cuda"},
		{"bench", "--net", worldNet, "--device", "cuda"},
	} {
		require.Contains(t, fails(t, args...), "CUDA is not available: ")
	}
}

// TestCommandsOnACard: each command that runs a graph runs it on the card, with the results of the processor.
func TestCommandsOnACard(t *testing.T) {
	w := newWorld(t)
	card := emu.Use(t)
	before := card.Used()
	launched := func(args ...string) string {
		t.Helper()
		start := card.Used().Launches
		out := must(t, append(args, "--device", "cuda")...)
		require.Greater(t, card.Used().Launches, start, "%q", args)
		return out
	}

	features := join([]string{"features", "--data", w.path("test.npz"), "--out"}, nil)
	onCPU, onCard := w.path("cpu.npz"), w.path("card.npz")
	must(t, join(features, []string{onCPU}, w.net())...)
	launched(join(features, []string{onCard}, w.net())...)
	want, got := keptSamples(t, onCPU), keptSamples(t, onCard)
	for i, v := range want.Features {
		require.InDelta(t, v, got.Features[i], 1e-5)
	}

	det := w.path("det.npz")
	launched(join([]string{"fit", "--data", w.path("train.npz"), "--out", det, "--p-a", "50", "--p-w", "75"},
		w.net())...)
	score := join([]string{"score", "--detector", det, "--data", w.path("test.npz"), "--out"}, nil)
	must(t, join(score, []string{w.path("cpu.csv")}, w.net())...)
	launched(join(score, []string{w.path("card.csv")}, w.net())...)
	scores := readScoresCSV(t, w.path("cpu.csv"))
	for i, row := range readScoresCSV(t, w.path("card.csv")) {
		require.InDelta(t, scores[i].score, row.score, 1e-5*math.Max(1, math.Abs(scores[i].score)))
	}

	var r, s evalFile
	must(t, w.eval("--json", w.path("cpu.json"), "--methods", "line,msp,energy")...)
	launched(w.eval("--json", w.path("card.json"), "--methods", "line,msp,energy")...)
	readJSON(t, w.path("cpu.json"), &r)
	readJSON(t, w.path("card.json"), &s)
	require.Len(t, s.Methods, 3)
	for name, m := range r.Methods {
		require.InDelta(t, m.Average.AUROC, s.Methods[name].Average.AUROC, 1, name) // near ties may change their order
	}

	dir := t.TempDir()
	launched("train", "--net", "resnet-fashion-8-2", "--data", trainData(t, dir), "--val", trainData(t, dir),
		"--epochs", "1", "--batch", "20", "--out", w.path("m.npz"), "--progress", "never")

	launched(join([]string{"attribute", "values", "--data", w.path("train.npz"), "--scope", "class", "--estimators",
		"closed-form", "--top", "0",
		"--json", w.path("values.json")}, w.net())...)
	launched(join([]string{"calibrate", "--detector", det, "--data", w.path("test.npz"), "--out",
		w.path("calibrated.npz"), "--alpha", "0.2"}, w.net())...)

	var b bench.Result
	launched("bench", "--net", worldNet, "--images", "5", "--runs", "1", "--json", w.path("b.json"))
	readJSON(t, w.path("b.json"), &b)
	require.Equal(t, "cuda", b.Device)
	for _, o := range b.Ops {
		require.Equal(t, "cuda", o.Device, o.Name)
	}
	require.Equal(t, before.Contexts, int64(0))
}

// TestTF32OnACard: a card with tensor cores runs bench in TF32, an earlier one is refused.
func TestTF32OnACard(t *testing.T) {
	w := newWorld(t)
	args := []string{"bench", "--net", worldNet, "--images", "5", "--runs", "1", "--device", "cuda", "--precision",
		"tf32", "--json", w.path("b.json")}
	t.Run("tensor cores", func(t *testing.T) {
		emu.Use(t).Needs(80)
		must(t, args...)
		var b bench.Result
		readJSON(t, w.path("b.json"), &b)
		require.Equal(t, "tf32", b.Precision)
		require.Equal(t, "cuda", b.Device)
	})
	t.Run("none", func(t *testing.T) {
		emu.Use(t).SetCapability(75)
		require.Contains(t, fails(t, args...), "expected compute capability 8.0 or later, got 7.5")
	})
}
