package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutputsAreCheckedBeforeTheWork gives an output in a folder that does not exist to commands that need no other
// input.
func TestOutputsAreCheckedBeforeTheWork(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "file")
	for _, args := range [][]string{
		{"bench", "--net", "densenet-bc-100-12", "--images", "1000000000", "--json", missing + ".json"},
		{"graph", "--net", "densenet-bc-100-12", "--out", missing + ".svg"},
		{"demo", "--html", missing + ".html"},
	} {
		code, out, stderr := runGoline(args...)
		require.Equal(t, exitFailed, code, args)
		require.Contains(t, stderr, "there is no folder", args)
		require.Empty(t, out, args)
	}
}

// TestNoCommandDestroysAnInput: every command refuses, with status 2, every output that is one of its inputs, in
// whatever way a DATA argument names the file and through whatever link the output leads to it. All files keep their
// bytes.
func TestNoCommandDestroysAnInput(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	w.writeIdx(t)
	require.NoError(t, os.Mkdir(w.path("kept"), 0o777))
	must(t, w.eval("--features-dir", w.path("kept"), "--json", w.path("first.json"))...)
	// DATA arguments, each with a file that it resolves to.
	inputs := map[string]string{
		w.path("train.npz"):                            w.path("train.npz"),
		"npz:" + w.path("train.npz"):                   w.path("train.npz"),
		"npz:" + w.path("tra*.npz"):                    w.path("train.npz"),
		w.path("tr?in.npz"):                            w.path("train.npz"),
		"idx:" + w.path("i.gz") + "+" + w.path("l.gz"): w.path("l.gz"),
		w.path("i.gz") + "+" + w.path("l.gz"):          w.path("i.gz"),
		w.path("pictures"):                             w.path("pictures/a.png"),
		"folder:" + w.path("pictures"):                 w.path("pictures/a.png"),
	}
	ways := map[string]func(file string) string{
		"itself": func(file string) string { return file },
		"link": func(file string) string {
			link := filepath.Join(t.TempDir(), "link"+filepath.Ext(file))
			require.NoError(t, os.Symlink(file, link))
			return link
		},
		"folder link": func(file string) string {
			link := filepath.Join(t.TempDir(), "folder")
			require.NoError(t, os.Symlink(filepath.Dir(file), link))
			return filepath.Join(link, filepath.Base(file))
		},
		"hard link": func(file string) string {
			link := filepath.Join(t.TempDir(), "hard"+filepath.Ext(file))
			require.NoError(t, os.Link(file, link))
			return link
		},
	}
	net := w.net()
	attribute := func(args ...string) []string { return join(append([]string{"attribute"}, args...), net) }
	downstream := func(args ...string) []string {
		return attribute(append([]string{"downstream", "--fit", w.path("train.npz"), "--id", w.path("test.npz"),
			"--ood", "noise=" + w.path("noise.npy")}, args...)...)
	}
	// Every command with a DATA flag, and each of its outputs. IN stands for the data, OUT for the output.
	commands := [][]string{
		join([]string{"features", "--data", "IN", "--out", "OUT"}, net),
		join([]string{"fit", "--data", "IN", "--out", "OUT"}, net),
		{"score", "--detector", det, "--data", "IN", "--out", "OUT"},
		w.eval("--fit", "IN", "--json", "OUT"), w.eval("--id", "IN", "--csv", "OUT"),
		w.eval("--ood", "more=IN", "--report", "OUT"),
		attribute("values", "--data", "IN", "--csv", "OUT"), attribute("values", "--data", w.path("test.npz"), "--fit",
			"IN", "--json", "OUT"),
		downstream("--ood", "more=IN", "--csv", "OUT"), downstream("--ood", "more=IN", "--json", "OUT"),
		{"train", "--net", "resnet-cifar-8-8", "--data", "IN", "--out", w.path("trained.npz"), "--checkpoint", "OUT",
			"--epochs", "1"},
	}
	// Files that flags name directly.
	for _, named := range []struct {
		file string
		args []string
	}{
		{w.path("net.npz"), join([]string{"features", "--data", w.path("noise.npy"), "--out", "OUT"}, net)},
		{w.path("net.npz"), w.eval("--json", "OUT")},
		{w.path("net.npz"), join([]string{"graph", "--out", "OUT"}, net)},
		{w.path("net.npz"), join([]string{"bench", "--json", "OUT"}, net)},
		{det, []string{"score", "--detector", det, "--data", w.path("noise.npy"), "--out", "OUT"}},
		{det, []string{"graph", "--detector", det, "--out", "OUT"}},
		{w.path("kept/fit.npz"), w.eval("--features-dir", w.path("kept"), "--csv", "OUT")},
	} {
		for way, lead := range ways {
			refusesToReplace(t, w, way, replaceArgs(named.args, "", lead(named.file)))
		}
	}
	for spec, file := range inputs {
		for _, args := range commands {
			for way, lead := range ways {
				refusesToReplace(t, w, way, replaceArgs(args, spec, lead(file)))
			}
		}
	}
}

func replaceArgs(args []string, in, out string) []string {
	replaced := make([]string, len(args))
	for i, a := range args {
		replaced[i] = strings.Replace(strings.Replace(a, "OUT", out, 1), "IN", in, 1)
	}
	return replaced
}

// refusesToReplace runs a command that must end with status 2 and leave every file of the world as it is.
func refusesToReplace(t *testing.T, w world, way string, args []string) {
	t.Helper()
	before := w.hashes(t)
	code, _, stderr := runGoline(args...)
	// An output whose ending the command does not write is refused as well, which is as safe.
	require.Equal(t, exitUsage, code, "%s: %q: %s", way, args, stderr)
	require.Equal(t, before, w.hashes(t), "%s: %q", way, args)
}

// hashes returns the hashes of all files.
func (w world) hashes(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out[path] = fmt.Sprintf("%x", sha256.Sum256([]byte(contents(t, path))))
		}
		return err
	})
	require.NoError(t, err)
	return out
}

// writeIdx writes images i.gz and labels l.gz in the format of MNIST.
func (w world) writeIdx(t testing.TB) {
	t.Helper()
	const n, side = 9, 32
	pack := func(name string, axes []uint32, data []byte) {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		header := []byte{0, 0, 8, byte(len(axes))}
		for _, a := range axes {
			header = binary.BigEndian.AppendUint32(header, a)
		}
		_, err := z.Write(append(header, data...))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, os.WriteFile(w.path(name), buf.Bytes(), 0o666))
	}
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = byte(i % worldClasses)
	}
	pack("i.gz", []uint32{n, side, side}, pixels(n, 9, 0)[:n*side*side])
	pack("l.gz", []uint32{n}, labels)
}

// TestComparisonsKeepOffTheirInputs: files that a comparison writes under names that it chooses do not replace an
// input, either.
func TestComparisonsKeepOffTheirInputs(t *testing.T) {
	w := newWorld(t)
	out := w.path("out")
	require.NoError(t, os.Mkdir(out, 0o777))
	require.NoError(t, os.Rename(w.path("pictures/a.png"), filepath.Join(out, "error.png")))
	refusesToReplace(t, w, "itself", join([]string{"attribute", "compare", "--data", out, "--out-dir", out, "--images",
		"1", "--seeds", "1"}, w.net()))
	require.NoError(t, os.Symlink(w.path("test.npz"), filepath.Join(out, "cells.csv")))
	require.NoError(t, os.Remove(filepath.Join(out, "error.png")))
	refusesToReplace(t, w, "link", join([]string{"attribute", "compare", "--data", w.path("test.npz"), "--out-dir", out,
		"--images", "1", "--seeds", "1"}, w.net()))
}

// TestOutputsToOneFile: two outputs to one file are refused, even through a link to a file that does not exist yet.
func TestOutputsToOneFile(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Symlink("x.json", w.path("link")))
	for _, args := range [][]string{
		w.eval("--json", w.path("x.json"), "--csv", w.path("link")),
		w.eval("--json", w.path("x.json"), "--report", w.dir+"/./x.json"),
	} {
		code, _, stderr := runGoline(args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "are the same file")
	}
	require.NoFileExists(t, w.path("x.json"))
}

// TestStandardOutputIsAppendedTo: output to /dev/stdout, whatever it is called and whatever links lead to it, is
// written through the descriptor, so that a log keeps its earlier lines.
func TestStandardOutputIsAppendedTo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no /dev/stdout")
	}
	w := newWorld(t)
	log := w.path("log")
	require.NoError(t, os.Symlink("/dev/stdout", w.path("link.json")))
	require.NoError(t, os.Symlink("link.json", w.path("again.json")))
	outputs := []string{"/dev/stdout", w.path("link.json"), w.path("again.json")}
	if runtime.GOOS == "linux" {
		// The last one is the test's own descriptor: for the program it is that of another process.
		outputs = append(outputs, "/proc/thread-self/fd/1", "/proc/self/fd/1", "of another process")
	}
	for _, out := range outputs {
		require.NoError(t, os.WriteFile(log, []byte("first line\n"), 0o666))
		f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		if out == "of another process" {
			out = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
		}
		cmd := exec.Command(os.Args[0], w.eval("--methods", "msp", "--json", out)...)
		cmd.Env = append(os.Environ(), asGoline+"=1")
		cmd.Stdout = f
		require.NoError(t, cmd.Run())
		require.NoError(t, f.Close())
		text := contents(t, log)
		require.True(t, strings.HasPrefix(text, "first line\n{"), "%s: %s", out, text)
		require.Contains(t, text, "│ msp", "the table follows")
	}
}
