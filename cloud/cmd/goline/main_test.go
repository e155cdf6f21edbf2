package main

import (
	"archive/tar"
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cli"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/objects"
	"github.com/line-ood/goline/nets/weights"
)

// goline runs a command line.
func goline(t *testing.T, args ...string) (code int, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), args, &out, &errs)
	return code, errs.String()
}

func must(t *testing.T, args ...string) {
	t.Helper()
	code, stderr := goline(t, args...)
	require.Zero(t, code, "%q: %s", args, stderr)
}

// makeFiles writes a network, images, and pictures in a folder and in an archive.
func makeFiles(t *testing.T, dir string) {
	at := func(name string) string { return filepath.Join(dir, name) }
	var sd weights.StateDict
	for _, p := range nettest.DenseNetBC(t, 10, 4, 3, 2).Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	require.NoError(t, weights.WriteNpz(at("net.npz"), &sd))
	rng := rand.New(rand.NewPCG(1, 5))
	const n = 21
	pix, labels := make([]uint8, n*32*32*3), make([]int64, n)
	for i := range pix {
		pix[i] = uint8(rng.IntN(256))
	}
	for i := range labels {
		labels[i] = int64(i % 3)
	}
	require.NoError(t, npyz.WriteNpz(at("train.npz"), npyz.Stored,
		npyz.Named{Name: "images", Array: npyz.New(pix, n, 32, 32, 3)},
		npyz.Named{Name: "labels", Array: npyz.New(labels)}))
	var archive bytes.Buffer
	tw := tar.NewWriter(&archive)
	for _, name := range []string{"x/1.png", "x/two words.png", "y/1.png"} {
		im := image.NewNRGBA(image.Rect(0, 0, 32, 32))
		for i := range 32 * 32 {
			im.Set(i%32, i/32, color.NRGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(i), 255})
		}
		var file bytes.Buffer
		require.NoError(t, png.Encode(&file, im))
		path := at(filepath.Join("pictures", name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, file.Bytes(), 0o666))
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Size: int64(file.Len()), Mode: 0o666}))
		_, err := tw.Write(file.Bytes())
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	require.NoError(t, os.WriteFile(at("pictures.tar"), archive.Bytes(), 0o666))
}

// upload copies a folder.
func upload(t *testing.T, dir, url string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		return objects.Write(url+"/"+filepath.ToSlash(rel), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	}))
}

func download(t *testing.T, url string) string {
	f, err := objects.Open(url)
	require.NoError(t, err)
	defer f.Close()
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	return string(data)
}

// TestCommandsByURL: fit, features, score, merge and list give the bytes from and to stores that they give from and to
// files.
func TestCommandsByURL(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir)
	local := func(name string) string { return filepath.Join(dir, name) }
	net := []string{"--net", "densenet-bc-10-4", "--weights", local("net.npz")}
	must(t, append([]string{"fit", "--data", local("train.npz"), "--out", local("det.npz")}, net...)...)
	score := func(det, data, out string, more ...string) {
		t.Helper()
		must(t, append([]string{"score", "--detector", det, "--data", data, "--out", out}, more...)...)
	}
	score(local("det.npz"), local("pictures"), local("s.csv"))
	want, err := os.ReadFile(local("s.csv"))
	require.NoError(t, err)

	for _, url := range []string{"mem://commands/a folder", "file://" + filepath.ToSlash(t.TempDir()) + "/below"} {
		upload(t, dir, url)
		at := func(name string) string { return url + "/" + name }
		net := []string{"--net", "densenet-bc-10-4", "--weights", at("net.npz")}
		must(t, append([]string{"fit", "--data", at("tr*.npz"), "--out", at("det2.npz")}, net...)...)
		score(at("det2.npz"), at("pictures"), at("s.csv"))
		require.Equal(t, string(want), download(t, at("s.csv")))
		score(at("det2.npz"), at("pictures.tar"), at("tar.csv"))
		require.Len(t, strings.Split(download(t, at("tar.csv")), "\n"), 5)
		score(at("det2.npz"), at("pictures"), at("s.parquet"))
		require.True(t, strings.HasPrefix(download(t, at("s.parquet")), "PAR1"))

		names := filepath.Join(t.TempDir(), "names.txt")
		must(t, "list", "--data", at("pictures"), "--out", names)
		data, err := os.ReadFile(names)
		require.NoError(t, err)
		require.Equal(t, "x/1.png -1\nx/two words.png -1\ny/1.png -1\n", string(data))
		score(at("det2.npz"), "list:"+names+"+"+at("pictures"), at("all.csv"))
		var parts []string
		for _, shard := range []string{"0/2", "1/2"} {
			parts = append(parts, at("part"+shard[:1]+".csv"))
			score(at("det2.npz"), "list:"+names+"+"+at("pictures"), parts[len(parts)-1], "--shard", shard)
		}
		must(t, append([]string{"merge", "--out", at("merged.csv")}, parts...)...)
		require.Equal(t, download(t, at("all.csv")), download(t, at("merged.csv")))

		for _, bad := range [][]string{
			append([]string{"fit", "--data", at("train.npz"), "--out", at("net.npz")}, net...),
			append([]string{"features", "--data", at("tr*.npz"), "--out", at("x/../train.npz")}, net...),
			append([]string{"eval", "--fit", at("train.npz"), "--id", at("train.npz"), "--ood", "a=" + at("train.npz"),
				"--features-dir", at("kept")}, net...),
			{"list", "--data", at("pictures"), "--out", at("names.txt")},
			{"list", "--data", local("pictures"), "--out", local("names.txt")},
		} {
			code, stderr := goline(t, bad...)
			require.Equal(t, 2, code, "%q: %s", bad, stderr)
		}
		code, stderr := goline(t, "score", "--detector", at("none.npz"), "--data", at("pictures"), "--out",
			at("no.csv"))
		require.Equal(t, 1, code)
		require.Contains(t, stderr, at("none.npz"))
		code, stderr = goline(t, "score", "--detector", at("det.npz"), "--data", at("none"), "--out", at("no.csv"))
		require.Equal(t, 1, code)
		require.Contains(t, stderr, at("none"))
		_, err = objects.Stat(at("no.csv"))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	// one file, called by its path and by its URL
	code, stderr := goline(t, append([]string{"fit", "--data", local("train.npz"), "--out", "file://" +
		filepath.ToSlash(local("net.npz"))}, net...)...)
	require.Equal(t, 2, code, stderr)
}
