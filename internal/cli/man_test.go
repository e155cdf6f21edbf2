package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	code, _, stderr := runGoline("man", dir)
	require.Zero(t, code, stderr)
	for page, want := range map[string]string{
		"goline.1":                   "goline finds out-of-distribution inputs",
		"goline-score.1":             `\fB--detector\fP`,
		"goline-attribute-compare.1": "GOLINE-ATTRIBUTE-COMPARE",
		"goline-attribute-values.1":  "SEE ALSO",
		"goline-calibrate.1":         "--alpha",
		"goline-networks.1":          "goline networks",
		"goline-attribute.1":         "goline attribute",
		"goline-completion.1":        "",
		"goline-man.1":               "",
		"goline-help.1":              "",
	} {
		content, err := os.ReadFile(filepath.Join(dir, page))
		if want == "" {
			require.ErrorIs(t, err, os.ErrNotExist, page)
			continue
		}
		require.NoError(t, err)
		require.Contains(t, string(content), want, page)
		require.NotContains(t, string(content), t.Name())
	}
	again := t.TempDir()
	code, _, stderr = runGoline("man", again)
	require.Zero(t, code, stderr)
	first, err := os.ReadFile(filepath.Join(dir, "goline-eval.1"))
	require.NoError(t, err)
	second, err := os.ReadFile(filepath.Join(again, "goline-eval.1"))
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "the same bytes each time")

	code, _, stderr = runGoline("man")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "expected one argument, DIR, got 0")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	code, _, _ = runGoline("man", file)
	require.Equal(t, exitFailed, code)
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, stdout, stderr := runGoline("completion", shell)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "goline", shell)
	}
	for _, c := range []struct {
		args []string
		want string
		not  string
	}{
		{[]string{"sc"}, "score\t", "eval"},
		{[]string{"fit", "--net", "resnet5"}, "resnet50\n", "densenet"},
		{[]string{"fit", "--net", "densenet-bc"}, "densenet-bc-100-12\n", "DEPTH"},
		{[]string{"eval", "--methods", "msp,ener"}, "msp,energy\n", "react"},
		{[]string{"fit", "--method", "rea"}, "react\n", "energy"},
		{[]string{"score", "--device", ""}, "cpu\ncuda\n", "tpu"},
	} {
		code, stdout, stderr := runGoline(append([]string{"__complete"}, c.args...)...)
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, c.want, c.args)
		require.NotContains(t, stdout, c.not, c.args)
	}
}
