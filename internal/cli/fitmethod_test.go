package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// TestFitOtherMethod: a detector of another method can be fitted and inspected, and its scores are those of the method
// in goline eval.
func TestFitOtherMethod(t *testing.T) {
	w := newWorld(t)
	det := filepath.Join(t.TempDir(), "det.npz")
	out := must(t, join([]string{"fit"}, w.net(), []string{"--data", w.path("train.npz"), "--method", "dice+react",
		"--param", "dice+react.dice.p=50", "--out", det})...)
	require.Contains(t, out, "fitted to")
	var facts map[string]any
	require.NoError(t, json.Unmarshal([]byte(must(t, "inspect", det, "--json")), &facts))
	assert.Equal(t, "dice+react", facts["method"])
	assert.Equal(t, map[string]any{"dice.p": 50.0, "react.percentile": 90.0}, facts["method_params"])
	scores := must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", "-")
	assert.Contains(t, scores, "id,score,prediction,label,ood")
	assert.Contains(t, scores, ",false\n")
	assert.Contains(t, fails(t, "export", "--detector", det, "--out", filepath.Join(t.TempDir(), "x.onnx")),
		"LINe alone can be exported")

	for want, args := range map[string][]string{
		"method: expected one of " + strings.Join(posthoc.Names(), ", ") + `, got "nose"`: {"--method", "nose"},
		"expected knn.NAME=NUMBER": {"--method", "knn", "--param", "k=3"},
		"odin needs odin.logits":   {"--method", "odin"}, "LINe's parameters are flags": {"--param", "line.p_a=3"},
		"parameter p: expected a value in [0, 100], got 101": {"--method", "dice", "--param", "dice.p=101"},
	} {
		code, _, stderr := runGoline(join([]string{"fit"}, w.net(), []string{"--data", w.path("train.npz"), "--out",
			det}, args)...)
		assert.Equal(t, exitUsage, code, stderr)
		assert.Contains(t, stderr, want)
	}
}
