package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"
)

// archive returns a tar archive of labelled pictures.
func archive(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, data []byte) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o666}))
		_, err := w.Write(data)
		require.NoError(t, err)
	}
	for i := range n {
		im := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		for j := range 32 * 32 {
			im.Set(j%32, j/32, color.NRGBA{uint8(i * j), uint8(9 * i), uint8(j), 255})
		}
		var file bytes.Buffer
		require.NoError(t, png.Encode(&file, im))
		key := "k" + strconv.Itoa(i)
		add(key+".cls", []byte(strconv.Itoa(i%worldClasses)))
		add(key+".png", file.Bytes())
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// piped runs goline as a process with data on its standard input, which is a pipe.
func piped(t *testing.T, data []byte, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asGoline+"=1")
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &errs
	_ = cmd.Run() // the status tells
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// TestArchiveOnStandardInput: scores and features of an archive that comes through a pipe, compressed or not, are those
// of the file, but for the archive's name in the images' names.
func TestArchiveOnStandardInput(t *testing.T) {
	w := newWorld(t)
	det, data := w.fit(t), archive(t, 40)
	require.NoError(t, os.WriteFile(w.path("x.tar"), data, 0o666))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	must(t, "calibrate", "--detector", det, "--data", w.path("test.npz"), "--alpha", "0.2", "--out", w.path("cal.npz"))
	for _, more := range [][]string{nil, {"--stream"}, {"--fdr", "bh"}} {
		score := func(images string) []string {
			return join([]string{"score", "--detector", w.path("cal.npz"), "--data", images, "--out", "-"}, more)
		}
		want := strings.ReplaceAll(must(t, score(w.path("x.tar"))...), "\nx.tar/", "\n")
		for _, in := range [][]byte{data, zipped.Bytes()} {
			got, stderr, code := piped(t, in, append(score("tar:-"), "--progress", "always")...)
			require.Zero(t, code, stderr)
			require.Contains(t, stderr, "score")
			require.NotContains(t, stderr, "/0", "the number of images is not known")
			require.Equal(t, want, got, more)
		}
	}
	type row struct {
		ID       string    `parquet:"id"`
		Label    *int64    `parquet:"label,optional"`
		Features []float32 `parquet:"features,list"`
	}
	features := func(images, out string) []string {
		return join([]string{"features", "--data", images, "--out", out}, w.net())
	}
	must(t, features(w.path("x.tar"), w.path("want.parquet"))...)
	out, stderr, code := piped(t, data, features("tar:-", w.path("got.parquet"))...)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "40 images")
	want, err := parquet.ReadFile[row](w.path("want.parquet"))
	require.NoError(t, err)
	got, err := parquet.ReadFile[row](w.path("got.parquet"))
	require.NoError(t, err)
	for i := range want {
		want[i].ID = strings.TrimPrefix(want[i].ID, "x.tar/")
	}
	require.Equal(t, want, got)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "expected --out with the ending .parquet", features("tar:-", w.path("f.npz"))},
		{exitUsage, "--shard: tar:- is read once", append(features("tar:-", w.path("f.parquet")), "--shard", "0/2")},
		{exitUsage, "--shard: tar:- is read once", []string{"score", "--detector", det, "--data", "tar:-", "--out",
			w.path("s.csv"), "--shard", "0/2"}},
		{exitFailed, "the archive is cut off", []string{"score", "--detector", det, "--data", "tar:-", "--out",
			w.path("s.csv")}},
	} {
		_, stderr, code := piped(t, data[:len(data)/10], c.args...)
		require.Equal(t, c.code, code, stderr)
		require.Contains(t, stderr, c.want)
	}
	require.NoFileExists(t, w.path("s.csv"))
}
