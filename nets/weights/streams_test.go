package weights_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets/weights"
)

// TestReadersAgree: every file of the fixtures gives the same tensors, or the same error, by path, from a folder, from
// an archive (whose files can only be read from start to end), and from a reader.
func TestReadersAgree(t *testing.T) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	require.NoError(t, z.AddFS(os.DirFS("testdata")))
	require.NoError(t, z.Close())
	archive, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	require.NoError(t, err)
	entries, err := os.ReadDir("testdata")
	require.NoError(t, err)
	read := 0
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		path := filepath.Join("testdata", e.Name())
		want, wantErr := weights.Read(path)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for way, f := range map[string]func() (*weights.StateDict, error){
			"tree":    func() (*weights.StateDict, error) { return weights.ReadFS(os.DirFS("testdata"), e.Name()) },
			"archive": func() (*weights.StateDict, error) { return weights.ReadFS(archive, e.Name()) },
			"reader": func() (*weights.StateDict, error) {
				return weights.ReadFrom(bytes.NewReader(data), int64(len(data)), e.Name())
			},
		} {
			got, err := f()
			if wantErr != nil {
				require.EqualError(t, err, "read weights "+e.Name()+wantErr.Error()[len("read weights "+path):], way)
				require.Equal(t, errors.Is(wantErr, weights.ErrFormat), errors.Is(err, weights.ErrFormat))
				continue
			}
			require.NoError(t, err, way)
			requireSameBits(t, want, got)
			require.Equal(t, want.Metadata, got.Metadata)
			read++
		}
	}
	require.Greater(t, read, 20)
}

// TestWriteEqualsSave: writing to a stream gives the bytes of saving to a path, and they can be read again.
func TestWriteEqualsSave(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		sd := drawStateDict(t)
		for f, named := range map[weights.Format]func(string, *weights.StateDict) error{
			weights.NPZ: weights.WriteNpz, weights.Safetensors: weights.WriteSafetensors,
		} {
			var b bytes.Buffer
			require.NoError(t, weights.Write(&b, f, sd))
			got, err := weights.ReadFrom(bytes.NewReader(b.Bytes()), int64(b.Len()), "memory")
			require.NoError(t, err)
			requireSameBits(t, sd, got)
			for _, save := range []func(string, *weights.StateDict) error{weights.Save, named} {
				path := filepath.Join(dir, "w."+string(f))
				require.NoError(t, save(path, sd))
				saved, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, b.Bytes(), saved)
			}
		}
	})
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]weights.Format{
		"a.npz": weights.NPZ, "dir.x/b.NPZ": weights.NPZ, "c.pth.safetensors": weights.Safetensors,
	} {
		f, err := weights.FormatOf(path)
		require.NoError(t, err)
		require.Equal(t, want, f)
	}
	dir := t.TempDir()
	for _, name := range []string{"a.pth", "a", ".", "a.npz.gz", "npz"} {
		path := filepath.Join(dir, name)
		err := weights.Save(path, state(t, f32("a", 1)))
		require.ErrorIs(t, err, weights.ErrFormat)
		require.ErrorContains(t, err, "weights "+path+": expected the extension .npz or .safetensors, got ")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.ErrorIs(t, weights.Write(io.Discard, "pth", state(t, f32("a", 1))), weights.ErrFormat)
}

// full is a writer that accepts n bytes and then fails.
type full struct{ n int }

var errFull = errors.New("full")

func (w *full) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return 0, errFull
	}
	w.n -= len(p)
	return len(p), nil
}

// TestStreamsFail: it is an error if a stream fails anywhere while it is written, or if it is cut off anywhere before
// it is read.
func TestStreamsFail(t *testing.T) {
	sd := state(t, f32("a", 1, 2, 3), weights.Tensor{Name: "b", Shape: []int{}, I64: []int64{7}})
	for _, f := range []weights.Format{weights.NPZ, weights.Safetensors} {
		var b bytes.Buffer
		require.NoError(t, weights.Write(&b, f, sd))
		for n := range b.Len() {
			require.ErrorIs(t, weights.Write(&full{n}, f, sd), errFull)
			_, err := weights.ReadFrom(bytes.NewReader(b.Bytes()), int64(n), "cut")
			require.ErrorContains(t, err, "read weights cut: ")
			got, err := weights.ReadFrom(bytes.NewReader(b.Bytes()[:n]), int64(b.Len()), "short") // cut off
			if err == nil && f == weights.NPZ && b.Len()-n <= 4 {
				requireSameBits(t, sd, got) // archive/zip accepts missing zeros at the end
				continue
			}
			require.ErrorContains(t, err, "read weights short: ")
		}
	}
	_, err := weights.ReadFrom(bytes.NewReader(nil), -1, "negative")
	require.ErrorContains(t, err, "read weights negative: the file is empty")
	_, err = weights.ReadFS(fstest.MapFS{"d/f": {}}, "d")
	require.EqualError(t, err, "read weights d: not a regular file")
	_, err = weights.ReadFS(fstest.MapFS{}, "f")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestErrorsCanBeTested(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, weights.Write(&b, weights.NPZ, state(t, f32("other", 1))))
	err := weights.LoadFrom(newNet(), bytes.NewReader(b.Bytes()), int64(b.Len()), "w")
	require.ErrorIs(t, err, weights.ErrMismatch)
	require.NotErrorIs(t, err, weights.ErrFormat)
	require.ErrorContains(t, err, "load weights w: weights do not fit the network: tensors 2 missing")
	err = weights.LoadFrom(newNet(), bytes.NewReader([]byte("GGUF")), 4, "w")
	require.ErrorIs(t, err, weights.ErrFormat)
	require.NotErrorIs(t, err, weights.ErrMismatch)
}

func TestFromParams(t *testing.T) {
	scalar := &graph.Param{Name: "s", Value: tensor.New(tensor.FromScalar(float32(7)))}
	n := append(newNet(), scalar)
	for i := range n[0].Float32s() {
		n[0].Float32s()[i] = float32(i)
	}
	sd, err := weights.FromParams(n)
	require.NoError(t, err)
	require.Equal(t, []string{"conv.weight", "bn.running_mean", "s"}, sd.Names())
	var b bytes.Buffer
	require.NoError(t, weights.Write(&b, weights.Safetensors, sd))
	again := append(newNet(), &graph.Param{Name: "s", Value: tensor.New(tensor.FromScalar(float32(0)))})
	require.NoError(t, weights.LoadFrom(again, bytes.NewReader(b.Bytes()), int64(b.Len()), "memory"))
	require.Equal(t, n[0].Float32s(), again[0].Float32s())
	require.Equal(t, float32(7), again[2].Value.Data())

	_, err = weights.FromParams(append(n, n[0]))
	require.ErrorContains(t, err, `tensor "conv.weight" comes twice`)
	_, err = weights.FromParams([]*graph.Param{nil})
	require.ErrorContains(t, err, "without a value")
}

func ExampleSave() {
	p := graph.NewParam("fc.weight", 10, 64)
	sd, err := weights.FromParams([]*graph.Param{p})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weights.Save("net.pth", sd))
	// Output: weights net.pth: expected the extension .npz or .safetensors, got ".pth"
}

func ExampleLoadFrom() {
	var b bytes.Buffer // a response of a server, for example
	n := newNet()
	sd, err := weights.FromParams(n)
	if err == nil {
		err = weights.Write(&b, weights.Safetensors, sd)
	}
	if err == nil {
		err = weights.LoadFrom(n, bytes.NewReader(b.Bytes()), int64(b.Len()), "answer")
	}
	fmt.Println(err)

	err = weights.LoadFrom(net{graph.NewParam("fc.weight", 10, 2)}, bytes.NewReader(b.Bytes()), int64(b.Len()),
		"answer")
	fmt.Println(errors.Is(err, weights.ErrMismatch))
	// Output:
	// <nil>
	// true
}
