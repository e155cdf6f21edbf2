package cli

import (
	"archive/tar"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

// TestInspectFile: goline inspect recognises every kind of file that goline reads or writes.
func TestInspectFile(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	must(t, join([]string{"features", "--data", w.path("test.npz"), "--out", w.path("f.npz")}, w.net())...)
	must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", w.path("s.csv"))
	must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", w.path("s.npz"))
	must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--out", w.path("s.parquet"))
	must(t, join([]string{"fit", "--data", w.path("train.npz"), "--shard", "0/2", "--out", w.path("part.npz")},
		w.net())...)
	must(t, w.eval("--report", w.path("e.html"), "--json", w.path("e.json"), "--csv", w.path("e.csv"), "--markdown",
		w.path("e.md"), "--latex", w.path("e.tex"))...)
	require.NoError(t, os.WriteFile(w.path("names.txt"), []byte("cat\ndog\n"), 0o666))
	require.NoError(t, os.WriteFile(w.path("cut.parquet"), []byte("PAR1 and no more"), 0o666))
	require.Contains(t, fails(t, "inspect", w.path("cut.parquet")), w.path("cut.parquet"))
	require.NoError(t, npyz.WriteNpyFile(w.path("rows.npy"), npyz.New(make([]float32, 6), 2, 3)))
	picture, err := os.ReadFile(w.path("pictures/a.png"))
	require.NoError(t, err)
	var shard bytes.Buffer
	archive := tar.NewWriter(&shard)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "a.png", Size: int64(len(picture))}))
	_, err = archive.Write(picture)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, os.WriteFile(w.path("shard.tar"), shard.Bytes(), 0o666))
	require.NoError(t, os.WriteFile(w.path("cut.tar"), shard.Bytes()[:600], 0o666))
	require.Contains(t, fails(t, "inspect", w.path("cut.tar")), "member a.png: the archive is cut off")
	for path, want := range map[string]string{
		w.path("s.parquet"):        "score DOUBLE",
		w.path("part.npz"):         "statistics of a part of a fit",
		w.path("e.json"):           "methods",
		w.path("e.csv"):            "method,",
		w.path("e.md"):             "| method | parameters |",
		w.path("e.tex"):            "booktabs",
		w.path("names.txt"):        "class names",
		w.path("shard.tar"):        "shard.tar/a.png",
		det:                        "threshold fit 95",
		w.path("net.npz"):          "sha256",
		w.path("f.npz"):            "array features",
		w.path("s.npz"):            "array scores",
		w.path("s.csv"):            "id,score,prediction,label,ood",
		w.path("test.npz"):         "13",
		w.path("rows.npy"):         "[2 3] of float32",
		w.path("e.html"):           "<!DOCTYPE html>",
		w.path("noise.npy"):        "images",
		w.path("pictures"):         "images",
		w.path("pictures/a.png"):   "images",
		"npz:" + w.path("te*.npz"): "images",
	} {
		require.Contains(t, must(t, "inspect", path), want, path)
		require.True(t, strings.HasPrefix(must(t, "inspect", "--json", path), "{"), path)
	}
	require.NoError(t, os.WriteFile(w.path("x.dat"), []byte("nothing"), 0o666))
	require.Contains(t, fails(t, "inspect", w.path("x.dat")), w.path("x.dat"))
	require.Contains(t, fails(t, "inspect", w.path("missing")), "missing")
	require.Contains(t, must(t, "inspect", det, "--detector", det), "fitted to 2", "two files have facts of one name")

	exported := w.path("det.onnx")
	must(t, "export", "--detector", det, "--out", exported)
	require.Contains(t, must(t, "inspect", exported), "ONNX file of a detector")
	must(t, "export", "--detector", det, "--out", w.path("net.onnx"), "--outputs", "logits")
	code, stdout, stderr := runGoline("inspect", "--net", w.path("net.onnx"))
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "Conv2D")
	require.Contains(t, stdout, "features")
	code, _, _ = runGoline("inspect", "a", "b")
	require.Equal(t, exitUsage, code)
}

func TestNetworks(t *testing.T) {
	require.Contains(t, must(t, "networks"), "densenet-bc-DEPTH-GROWTH")
	require.Contains(t, must(t, "networks", "--json"), `"wrn-DEPTH-WIDEN`)
}

// TestSuggestions: for a mistyped command the error suggests the right one, at every level.
func TestSuggestions(t *testing.T) {
	for _, c := range []struct{ args, want string }{{"scor", "score"}, {"attribute valuse", "values"}} {
		code, _, stderr := runGoline(strings.Fields(c.args)...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "did you mean "+c.want+"?")
	}
}

// TestFractionsAreDoubted: --p-a 0.9 is legal but hardly meant, so it leads to a warning.
func TestFractionsAreDoubted(t *testing.T) {
	w := newWorld(t)
	code, _, stderr := runGoline(join([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("d.npz"), "--p-a",
		"0.9"}, w.net())...)
	require.Zero(t, code)
	require.Contains(t, stderr, "--p-a 90")
}
