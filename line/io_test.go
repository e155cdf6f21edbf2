package line_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets/weights"
)

var _ io.WriterTo = (*line.Detector)(nil)

// short is a writer that fails after some bytes.
type short struct{ left int }

var errFull = errors.New("disk full")

func (s *short) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	s.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// TestWriteToIsTheFile: WriteTo writes the bytes of the file that Save writes, and Read reads them.
func TestWriteToIsTheFile(t *testing.T) {
	det, path := saved(t, line.DefaultOptions())
	file := read(t, path)
	var buf bytes.Buffer
	n, err := det.WriteTo(&buf)
	require.NoError(t, err)
	require.Equal(t, file, buf.Bytes())
	require.Equal(t, int64(len(file)), n)

	got, err := line.Read(bytes.NewReader(file), n, "memory")
	require.NoError(t, err)
	requireSame(t, det, got)
	got, err = line.ReadFor(bytes.NewReader(file), n, "memory", det.Network())
	require.NoError(t, err)
	require.Same(t, det.Network(), got.Network())
	requireSame(t, det, got)
	_, err = line.ReadFor(bytes.NewReader(file), n, "memory", nettest.DenseNetBC(t, 16, 4, 3, 5))
	require.ErrorIs(t, err, line.ErrMismatch)
	require.ErrorContains(t, err, "load detector memory: ")
	_, err = line.Read(bytes.NewReader(file[:100]), 100, "memory")
	require.ErrorContains(t, err, "load detector: read memory: ")

	for _, room := range []int{0, 100, len(file) - 1} {
		n, err := det.WriteTo(&short{room})
		require.ErrorIs(t, err, errFull)
		require.Equal(t, int64(room), n)
	}
}

// sequential hides the random access of a file system's files.
type sequential struct{ fs.FS }

func (s sequential) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	return struct{ fs.File }{f}, err
}

func TestLoadFS(t *testing.T) {
	det, path := saved(t, line.DefaultOptions())
	dir := os.DirFS(filepath.Dir(path))
	memory := fstest.MapFS{"det.npz": {Data: read(t, path)}, "text.npz": {Data: []byte("hello")}, "folder/x": {}}
	for _, fsys := range []fs.FS{dir, memory, sequential{dir}, sequential{memory}} {
		got, err := line.LoadFS(fsys, "det.npz")
		require.NoError(t, err)
		requireSame(t, det, got)
		_, err = line.LoadFS(fsys, "missing.npz")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "load detector: open missing.npz")
	}
	_, err := line.LoadFS(memory, "text.npz")
	require.ErrorContains(t, err, "load detector: read text.npz: ")
	_, err = line.LoadFS(memory, "folder")
	require.EqualError(t, err, "load detector folder: not a regular file")
}

// TestOlderFilesLoad reads a file that a release before fit scores were kept has written.
func TestOlderFilesLoad(t *testing.T) {
	const path = "testdata/detector_without_scores.npz"
	old, err := line.Load(path)
	require.NoError(t, err)
	_, err = old.FitThreshold()
	require.ErrorIs(t, err, line.ErrNoThreshold)
	again := filepath.Join(t.TempDir(), "again.npz")
	require.NoError(t, old.Save(again))
	require.Equal(t, read(t, path), read(t, again), "nothing is made up")

	today, err := line.Load(smallest(t, line.DefaultOptions())) // fitted to the same images
	require.NoError(t, err)
	_, err = today.FitThreshold()
	require.NoError(t, err)
	requireSame(t, today, old)
}

// TestThresholdsAreSaved: a loaded detector has the same thresholds.
func TestThresholdsAreSaved(t *testing.T) {
	det, path := saved(t, line.DefaultOptions())
	got, err := line.Load(path)
	require.NoError(t, err)
	for _, tpr := range []float64{0, 0.3, 0.5, 0.95, 1} {
		want, err := det.Threshold(tpr)
		require.NoError(t, err)
		have, err := got.Threshold(tpr)
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
}

// TestLoadSaysWhatElseItIs: the error for a file that is not a detector says what the file is.
func TestLoadSaysWhatElseItIs(t *testing.T) {
	dir := t.TempDir()
	one := npyz.New([]float32{1})
	write := func(arrays ...npyz.Named) string {
		path := filepath.Join(dir, "file.npz")
		require.NoError(t, npyz.WriteNpz(path, npyz.Stored, arrays...))
		return path
	}
	named := func(names ...string) (out []npyz.Named) {
		for _, name := range names {
			out = append(out, npyz.Named{Name: name, Array: one})
		}
		return out
	}
	for want, arrays := range map[string][]npyz.Named{
		"it is a training checkpoint of goline train": append(named("identity", "conv1.weight"),
			npyz.Named{Name: "format", Array: npyz.Scalar("goline training checkpoint 1")}),
		`expected format "goline LINe detector", got "something new"`: {{Name: "format",
			Array: npyz.Scalar("something new")}},
		"it holds features, as goline features writes them":    named("features", "logits", "labels", "source"),
		"it holds scores, as goline score writes them":         named("ids", "scores", "predictions", "labels"),
		`it holds network weights ("conv1.weight" and others)`: named("bn.running_mean", "conv1.weight", "fc.bias"),
		`it is a PyTorch file ("archive/data.pkl")`:            named("archive/data.pkl", "archive/data/0"),
		"it holds images":                              named("labels", "images"),
		`it holds arrays ["a" "b"]`:                    named("a", "b"),
		`it holds arrays ["a" "b" "c" "d"] and 2 more`: named("a", "b", "c", "d", "e", "f"),
		"it holds no arrays":                           nil,
	} {
		path := write(arrays...)
		_, err := line.Load(path)
		require.EqualError(t, err, "load detector "+path+": it is not a LINe detector: "+want)
	}
	_, path := saved(t, line.DefaultOptions())
	_, err := line.Load(rewritten(t, path, map[string]npyz.Array{"format": {}}))
	require.ErrorContains(t, err, `it is not a LINe detector: no array format = "goline LINe detector"`)

	// A file of weights as package weights writes it, and a large archive of other data, of which the rest must not
	// be read.
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	sd := &weights.StateDict{}
	for _, p := range net.Params() {
		require.NoError(t, sd.Add(weights.Tensor{Name: p.Name, Shape: p.Shape(), F32: p.Float32s()}))
	}
	real := filepath.Join(dir, "weights.npz")
	require.NoError(t, weights.WriteNpz(real, sd))
	_, err = line.Load(real)
	require.ErrorContains(t, err, `it holds network weights ("conv1.weight" and others)`)
	damaged := bytes.Replace(read(t, real), []byte("\x93NUMPY"), []byte("\x93DUMPY"), -1)
	_, err = line.Read(bytes.NewReader(damaged), int64(len(damaged)), "damaged")
	require.ErrorContains(t, err, "it holds network weights")
	require.Equal(t, 1, strings.Count(err.Error(), "load detector"))
}
