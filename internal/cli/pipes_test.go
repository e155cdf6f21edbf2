package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/ostest"
)

// What flags of words name, for TestNoFlagWaitsForAPipe: files that are read, files that are written, or no files.
var (
	readFlags = []string{
		"data", "weights", "class-names", "contributions", "detector", "fit", "id", "also-weights", "openood",
		"compare", "ood-val", "val",
		"id-val", "token-file", "tls-cert", "tls-key", "net", "preprocess", "ood", "near", "far", "csid", "checkpoint",
		"features-dir",
	}
	writeFlags = []string{"out", "json", "csv", "report", "markdown", "latex", "curves", "out-dir", "parquet",
		"figure"}
)

// runnable returns a command line that succeeds for each command that reads or writes files.
func (w world) runnable(t *testing.T) map[string][]string {
	det := w.fit(t)
	shard := join([]string{"features", "--data", w.path("test.npz"), "--shard", "0/1", "--out", w.path("shard.npz")},
		w.net())
	must(t, shard...)
	sets := []string{"--fit", w.path("train.npz"), "--id", w.path("test.npz"), "--ood", "a=" + w.path("noise.npy")}
	small := []string{"--images", "1", "--groups", "3", "--data", w.path("test.npz")}
	return map[string][]string{
		"features":  join(w.net(), []string{"--data", w.path("test.npz"), "--out", w.path("o.npz")}),
		"fit":       join(w.net(), []string{"--data", w.path("train.npz"), "--out", w.path("o.npz")}),
		"calibrate": {"--detector", det, "--data", w.path("test.npz"), "--out", w.path("o.npz")},
		"export":    {"--detector", det, "--out", w.path("o.onnx")},
		"score":     {"--detector", det, "--data", w.path("test.npz"), "--out", w.path("o.csv")},
		"serve":     {"--detector", det, "--listen", "no-such-host.invalid:0"}, // fails once all files are read
		"eval":      join(w.net(), sets, []string{"--methods", "msp"}),
		"train": {"--net", worldNet, "--data", w.path("train.npz"), "--out", w.path("o.npz"), "--epochs",
			"1", "--batch", "7"},
		"bench":   join(w.net(), []string{"--images", "2", "--runs", "1"}),
		"inspect": w.net(),
		"graph":   join(w.net(), []string{"--out", w.path("o.dot")}),
		"merge":   {w.path("shard.npz"), "--out", w.path("o.npz")},
		"list":    {"--data", "mem://bucket", "--out", w.path("o.txt")}, // fails: stores are another program's
		"attribute values": join(w.net(), small, []string{"--budget", "20", "--csv", w.path("o.csv"), "--figure",
			w.path("o.svg")}),
		"attribute compare": join(w.net(), small, []string{"--budgets", "20", "--estimators", "permutation",
			"--out-dir", w.path("compared")}),
		"attribute downstream": join(w.net(), sets, []string{"--estimators", "gradient-activation", "--values",
			"logit"}),
		"attribute play":         join(w.net(), small),
		"attribute interactions": join(w.net(), small, []string{"--budget", "40", "--csv", w.path("o.csv")}),
		"attribute curves": join(w.net(), small, []string{"--budget", "20", "--estimators", "gradient-activation",
			"--out-dir", w.path("curves")}),
		"demo": {"--report", w.path("o.html")},
	}
}

// TestNoFlagWaitsForAPipe: a named pipe that nobody else opens, in the place of any file of any command, is an error or
// is not opened. A command that writes to a pipe waits for a reader, as programs do, and ends within about a second
// after a signal.
func TestNoFlagWaitsForAPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every command for each of its files")
	}
	w := newWorld(t)
	bases := w.runnable(t)
	for _, ending := range []string{"", ".npz", ".onnx", ".csv", ".dot", ".txt", ".json", ".html", ".parquet", ".svg"} {
		ostest.Mkfifo(t, w.path("pipe"+ending))
	}
	const patient = 20 * time.Second
	try := func(written bool, args ...string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if written {
			time.AfterFunc(200*time.Millisecond, cancel)
		}
		var out, errs bytes.Buffer
		done := make(chan int, 1)
		go func() { done <- within(ctx, patience(args), func() int { return Run(ctx, args, &out, &errs) }) }()
		select {
		case code := <-done:
			assert.True(t, written || code == exitDone || code == exitFailed || code == exitUsage, "%q: status %d",
				args, code)
		case <-time.After(patient):
			t.Errorf("%q waits for ever", args)
		}
	}
	tried := 0
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			visit(sub, append(slices.Clone(path), sub.Name()))
		}
		base, known := bases[strings.Join(path, " ")]
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			read, written := slices.Contains(readFlags, f.Name), slices.Contains(writeFlags, f.Name)
			if !read && !written || f.Value.Type() == "bool" {
				return
			}
			require.True(t, known, "%q has --%s: give it a command line", path, f.Name)
			pipe := w.path("pipe")
			if at := slices.Index(base, "--"+f.Name); at >= 0 {
				pipe += filepath.Ext(base[at+1])
			}
			switch f.Name {
			case "net":
				pipe = w.path("pipe.onnx")
			case "ood", "near", "far", "csid", "ood-val":
				pipe = "b=" + w.path("pipe")
			case "curves":
				pipe = w.path("pipe") // the command appends .csv
			case "tls-key":
				base = join(base, []string{"--tls-cert", w.path("net.npz")})
			case "tls-cert":
				base = join(base, []string{"--tls-key", w.path("net.npz")})
			}
			tried++
			try(written, join(path, base, []string{"--" + f.Name, pipe})...)
		})
	}
	visit(newRoot(), nil)
	try(false, "merge", w.path("pipe.npz"), "--out", w.path("o.npz"))
	try(false, "merge", w.path("pipe.csv"), "--out", w.path("o.csv"))
	try(false, "inspect", w.path("pipe"))
	require.Greater(t, tried, 100)
}
