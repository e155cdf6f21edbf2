package cli

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

const worldNet, worldClasses = "densenet-bc-10-4", 3

// world is a folder with a small random network and images.
type world struct{ dir string }

// newWorld writes net.npz; train.npz and test.npz with labels; noise.npy and dark.npz without labels; and a folder of
// pictures.
func newWorld(t testing.TB) world {
	t.Helper()
	w := world{t.TempDir()}
	w.writeNet(t, "net.npz", nettest.DenseNetBC(t, 10, 4, worldClasses, 2))
	w.writeImages(t, "train.npz", 21, 1, 20, roundLabels(21))
	w.writeImages(t, "test.npz", 13, 2, 20, roundLabels(13))
	w.writeImages(t, "dark.npz", 8, 3, 0, nil)
	require.NoError(t, npyz.WriteNpyFile(w.path("noise.npy"), npyz.New(pixels(9, 4, 0), 9, 32, 32, 3)))
	w.writePictures(t, "pictures", "a.png", "b,with comma.png", `c "quoted".png`)
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) writeNet(t testing.TB, name string, net *nets.Network) {
	t.Helper()
	var sd weights.StateDict
	for _, p := range net.Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	require.NoError(t, weights.WriteNpz(w.path(name), &sd))
}

// pixels returns the pixels of n random images, none darker than level.
func pixels(n int, seed uint64, level int) []uint8 {
	rng := rand.New(rand.NewPCG(seed, 5))
	pix := make([]uint8, n*32*32*3)
	for i := range pix {
		pix[i] = uint8(level + rng.IntN(256-level))
	}
	return pix
}

func roundLabels(n int) []int64 {
	labels := make([]int64, n)
	for i := range labels {
		labels[i] = int64(i % worldClasses)
	}
	return labels
}

func (w world) writeImages(t testing.TB, name string, n int, seed uint64, level int, labels []int64) {
	t.Helper()
	arrays := []npyz.Named{{Name: "images", Array: npyz.New(pixels(n, seed, level), n, 32, 32, 3)}}
	if labels != nil {
		arrays = append(arrays, npyz.Named{Name: "labels", Array: npyz.New(labels)})
	}
	require.NoError(t, npyz.WriteNpz(w.path(name), npyz.Stored, arrays...))
}

// writePictures writes a folder of pictures of 40×36 pixels, one colour each.
func (w world) writePictures(t testing.TB, dir string, names ...string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(w.path(dir), 0o777))
	for i, name := range names {
		img := image.NewRGBA(image.Rect(0, 0, 40, 36))
		for at := range 40 * 36 {
			img.Set(at%40, at/40, color.RGBA{uint8(60 * i), uint8(at), 200, 255})
		}
		var out bytes.Buffer
		require.NoError(t, png.Encode(&out, img))
		require.NoError(t, os.WriteFile(filepath.Join(w.path(dir), name), out.Bytes(), 0o666))
	}
}

// net returns the flags that name the world's network.
func (w world) net() []string { return []string{"--net", worldNet, "--weights", w.path("net.npz")} }

// eval returns a command line of goline eval on the world's files, with more flags.
func (w world) eval(more ...string) []string {
	args := append([]string{"eval"}, w.net()...)
	return append(append(args, "--fit", w.path("train.npz"), "--id", w.path("test.npz"),
		"--ood", "noise="+w.path("noise.npy"), "--ood", "dark="+w.path("dark.npz")), more...)
}

// must runs a command line that must succeed without writing to stderr.
func must(t testing.TB, args ...string) (stdout string) {
	t.Helper()
	code, stdout, stderr := runGoline(args...)
	require.Equal(t, exitDone, code, stderr)
	require.Empty(t, stderr)
	return stdout
}

// fails runs a command line that must fail with one line on stderr and nothing on stdout, and returns that line.
func fails(t testing.TB, args ...string) string {
	t.Helper()
	code, stdout, stderr := runGoline(args...)
	require.Equal(t, exitFailed, code, "%q: %s", args, stderr)
	require.Empty(t, stdout, "%q", args)
	require.True(t, strings.HasPrefix(stderr, "goline: "), stderr)
	require.Equal(t, 1, strings.Count(stderr, "\n"), "one line expected: %s", stderr)
	require.NotContains(t, stderr, "internal error")
	return strings.TrimSuffix(stderr, "\n")
}

// refused runs a command line that is wrong, and returns the first line on stderr.
func refused(t testing.TB, args ...string) string {
	t.Helper()
	code, stdout, stderr := runGoline(args...)
	require.Equal(t, exitUsage, code, "%q: %s", args, stderr)
	require.Empty(t, stdout, "%q", args)
	line, rest, _ := strings.Cut(stderr, "\n")
	require.True(t, strings.HasPrefix(rest, "see: goline"), stderr)
	return line
}

// join joins the parts of a command line.
func join(parts ...[]string) (args []string) {
	for _, p := range parts {
		args = append(args, p...)
	}
	return args
}

// fit fits a detector and returns its path.
func (w world) fit(t testing.TB, more ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "det.npz")
	must(t, join([]string{"fit", "--data", w.path("train.npz"), "--out", out}, w.net(), more)...)
	return out
}

// entries returns the names of a folder's entries.
func entries(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func contents(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// runWith is runGoline with a context, a buffer for stderr, and a hook that is called when something is written to it.
func runWith(ctx context.Context, stderr *bytes.Buffer, hook func(), args ...string) (code int, stdout string) {
	var out bytes.Buffer
	code = Run(ctx, args, &out, hookedWriter{stderr, hook})
	return code, out.String()
}

// hookedWriter calls a function whenever something is written.
type hookedWriter struct {
	to   *bytes.Buffer
	hook func()
}

func (w hookedWriter) Write(p []byte) (int, error) {
	w.hook()
	return w.to.Write(p)
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o666) }
