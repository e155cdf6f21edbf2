package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line"
)

// TestContributionsFromAFile: the contributions of the logit game, written by "attribute values" from the closed form,
// give the detector and the table that gradient × activation gives. A file that is of another network, or incomplete,
// is refused before images are read.
func TestContributionsFromAFile(t *testing.T) {
	w := newWorld(t)
	file := w.path("v.json")
	values := join([]string{"attribute", "values", "--data", w.path("train.npz"), "--scope", "class", "--estimators",
		"closed-form", "--top", "0", "--json", file}, w.net())
	must(t, append(values, "--progress", "never")...)
	want, err := line.Load(w.fit(t, "--p-a", "50", "--p-w", "50", "--clip-percentile", "90"))
	require.NoError(t, err)
	got, err := line.Load(w.fit(t, "--p-a", "50", "--p-w", "50", "--clip-percentile", "90", "--contributions", file))
	require.NoError(t, err)
	require.InDeltaSlice(t, want.Mean(), got.Mean(), 1e-6)
	for class := range worldClasses {
		require.Equal(t, want.ClipLimits(class), got.ClipLimits(class))
		require.Equal(t, want.ActiveNeurons(class), got.ActiveNeurons(class))
	}
	a, err := want.FitThreshold()
	require.NoError(t, err)
	b, err := got.FitThreshold()
	require.NoError(t, err)
	require.InDelta(t, a, b, 1e-5)
	require.Contains(t, must(t, w.eval("--methods", "line", "--contributions", file)...),
		"contributions = logit by closed-form")

	var whole map[string]any
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, bad := range []struct {
		change func(setting map[string]any, estimates []any)
		want   string
	}{
		{func(s map[string]any, _ []any) { s["scope"] = "sample" }, `expected scope "class", got "sample"`},
		{func(s map[string]any, _ []any) { s["layer"] = "block1" }, `expected layer "features", got "block1"`},
		{func(s map[string]any, _ []any) { s["players"] = "channels" }, `expected players "neurons", got "channels"`},
		{func(map[string]any, []any) { whole["partial"] = true },
			"expected a finished estimate, got one that was interrupted"},
		{func(s map[string]any, _ []any) {
			s["net"] = "lenet"
		}, "expected values of densenet-bc-10-4 with weights of SHA-256 "},
		{func(s map[string]any, _ []any) { s["weights_sha256"] = "0" }, "got densenet-bc-10-4 with 0…"},
		{func(_ map[string]any, e []any) { e[1].(map[string]any)["label"] = 0 },
			"expected one estimator, got two estimates of class 0"},
		{func(_ map[string]any, e []any) { e[1].(map[string]any)["label"] = nil },
			"expected estimates of classes 0 to 2, got one of another or no class"},
		{func(_ map[string]any, e []any) { e[1].(map[string]any)["label"] = 3 }, "got one of another or no class"},
		{func(map[string]any, []any) { whole["estimates"] = []any{} },
			"expected estimates of classes 0 to 2, got none of class 0"},
		{func(_ map[string]any, e []any) {
			e[2].(map[string]any)["estimate"].(map[string]any)["values"] = []any{1}
		}, "expected one value for each of 9 neurons, got 1 for class 2"},
		{func(_ map[string]any, e []any) {
			e[2].(map[string]any)["estimate"].(map[string]any)["values"].([]any)[4] = nil
		}, "value of neuron 4 for class 2 is not a number"},
	} {
		require.NoError(t, json.Unmarshal(text, &whole))
		bad.change(whole["setting"].(map[string]any), whole["estimates"].([]any))
		out, err := json.Marshal(whole)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(w.path("bad.json"), out, 0o666))
		for _, args := range [][]string{
			join([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("bad.npz")}, w.net()),
			w.eval("--methods", "line"),
		} {
			message := fails(t, append(args, "--contributions", w.path("bad.json"))...)
			require.Contains(t, message, "--contributions "+w.path("bad.json")+": ")
			require.Contains(t, message, bad.want)
		}
		require.NoFileExists(t, w.path("bad.npz"))
	}
	message := fails(t, w.eval("--methods", "line", "--contributions", w.path("net.npz"))...)
	require.Contains(t, message, "expected JSON of goline attribute values")
	message = fails(t, w.eval("--methods", "line", "--contributions", w.path("missing"))...)
	require.True(t, strings.HasPrefix(message, "goline: --contributions: ") &&
		strings.Contains(message, w.path("missing")), message)
}

// TestInspectTellsClipLimits: goline inspect shows, for a detector that clips at percentiles, the option and the range
// of the bounds.
func TestInspectTellsClipLimits(t *testing.T) {
	w := newWorld(t)
	stdout := must(t, "inspect", w.fit(t, "--clip-percentile", "80", "--clip-per-class"))
	require.Contains(t, stdout, "clip_per_class true, clip_percentile 80, p_a 90, p_w 90")
	require.Regexp(t, `(?m)^smallest clip limit +[0-9.e-]+$`, stdout)
	require.Regexp(t, `(?m)^largest clip limit +[0-9.e-]+$`, stdout)
	require.NotContains(t, must(t, "inspect", w.fit(t)), "clip limit")
}
