package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// usualEndings are the endings of the files that flags name, where the command's own command line has none.
var usualEndings = map[string]string{"json": ".json", "csv": ".csv", "report": ".html", "markdown": ".md",
	"latex": ".tex", "parquet": ".parquet", "figure": ".svg", "out": ".npz", "checkpoint": ".npz"}

// TestEveryOutputMeetsEveryInput gives one file to each pair of a flag that is read and a flag that is written, of
// every command: the command says that the one would replace the other, and the file keeps its bytes. A new flag of
// either kind must be listed in readFlags or writeFlags, or TestNoFlagWaitsForAPipe would miss it, too.
func TestEveryOutputMeetsEveryInput(t *testing.T) {
	w := newWorld(t)
	bases := w.runnable(t)
	images, err := os.ReadFile(w.path("test.npz"))
	require.NoError(t, err)
	tried := 0
	pair := func(path []string, base []string, in, out *pflag.Flag) {
		ending := usualEndings[out.Name]
		if at := slices.Index(base, "--"+out.Name); at >= 0 {
			ending = filepath.Ext(base[at+1])
		}
		if in.Name == "net" { // the file of a network, whose ending not every output may have
			if out.Name == "figure" || slices.Contains([]string{"score", "graph", "train"}, path[0]) {
				return
			}
			ending = ".onnx"
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "one"+ending)
		content := images
		value := file
		var more []string // flags that this one asks for
		switch in.Name {
		case "ood", "near", "far", "csid":
			value = "b=" + file
		case "ood-val":
			value, more = "b="+file, []string{"--tune"}
		case "id-val":
			more = []string{"--tune"}
		case "features-dir":
			value = dir
		case "openood":
			return // a folder that holds lists and pictures at places of its own
		case "contributions":
			if path[0] == "eval" {
				more = []string{"--methods", "line"}
			}
		case "preprocess":
			content = []byte(`{"mean": [0.5, 0.5, 0.5], "std": [1, 1, 1]}`)
		case "class-names":
			content = []byte("one\ntwo\nthree\n")
		}
		if path[0] == "eval" && in.Name == "compare" || path[0] == "list" {
			return // the name of a method, and the URL of a store
		}
		require.NoError(t, os.WriteFile(file, content, 0o666))
		args := join(path, base, more, []string{"--" + in.Name, value, "--" + out.Name, file})
		if in.Name == "net" { // the file has its own weights
			if at := slices.Index(args, "--weights"); at >= 0 {
				args = slices.Delete(args, at, at+2)
			}
		}
		code, _, stderr := runGoline(args...)
		assert.Equal(t, exitUsage, code, "%q: %s", args, stderr)
		assert.Regexp(t, "would replace the file of --|are the same file", stderr, "%q", args)
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, content, after, "%q", args)
		tried++
	}
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			visit(sub, append(slices.Clone(path), sub.Name()))
		}
		base, known := bases[strings.Join(path, " ")]
		if !known {
			return
		}
		var ins, outs []*pflag.Flag
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Value.Type() == "bool":
			case slices.Contains(writeFlags, f.Name) && usualEndings[f.Name] != "":
				outs = append(outs, f)
			case slices.Contains(readFlags, f.Name):
				ins = append(ins, f)
			}
		})
		for _, in := range ins {
			for _, out := range outs {
				pair(path, base, in, out)
			}
		}
	}
	visit(newRoot(), nil)
	code, _, stderr := runGoline("merge", w.path("shard.npz"), "--out", w.path("shard.npz"))
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "would replace the file of ")
	t.Logf("%d pairs", tried)
	require.Greater(t, tried, 150)
}
