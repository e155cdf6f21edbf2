package dataset

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// zipOf packs a folder into a zip archive in memory.
func zipOf(t testing.TB, dir string) fs.FS {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	require.NoError(t, z.AddFS(os.DirFS(dir)))
	require.NoError(t, z.Close())
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return r
}

// mapOf copies a folder into memory.
func mapOf(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		m[filepath.ToSlash(path)] = &fstest.MapFile{Data: data}
		return err
	}))
	return m
}

// same checks that two sets hold the same images, labels, classes and IDs.
func same(t testing.TB, want, got Dataset) {
	t.Helper()
	require.Equal(t, want.Name(), got.Name())
	require.Equal(t, want.Labels(), got.Labels())
	require.Equal(t, want.Classes(), got.Classes())
	require.Equal(t, ids(want), ids(got))
	for i := range want.Len() {
		a, err := want.Image(i)
		require.NoError(t, err)
		b, err := got.Image(i)
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

// Every format gives the same set from files, from memory and from a zip archive, which has no random access to its
// files.
func TestOpenFSEqualsOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	specs := everyFormat(t)
	delete(specs, "classes/*") // its folders have different classes
	for kind, fsys := range map[string]fs.FS{"folder": os.DirFS("."), "memory": mapOf(t, "."),
		"archive": zipOf(t, ".")} {
		for spec := range specs {
			want := mustOpen(t, spec)
			got, err := OpenFS(fsys, spec)
			require.NoError(t, err, kind)
			same(t, want, got)
			require.NoError(t, got.Close())
		}
		sub, err := fs.Sub(fsys, "classes")
		require.NoError(t, err)
		d, err := OpenFS(sub, ".")
		require.NoError(t, err)
		require.Equal(t, []string{"cat/2.png", "cat/deep/1.png", "dog/3.png"}, ids(d), kind)
	}
}

func TestOpenFSRefuses(t *testing.T) {
	whole := cifarFile(1, 1, 2)
	fsys := fstest.MapFS{
		"a.bin": {Data: whole}, "cut.bin": {Data: whole[:5000]}, "pipe.bin": {Mode: fs.ModeNamedPipe},
		"up/x/back": {Data: []byte(".."), Mode: fs.ModeSymlink}, "up/x/1.png": {Data: dot(t, 1)},
		"empty/.x": {}, "broken/a.png": {Data: dot(t, 1)[:60]},
	}
	for spec, c := range map[string]struct {
		want string
		is   error
	}{
		"/a.bin":           {"/a.bin: invalid argument: expected a path from the root", fs.ErrInvalid},
		"./a.bin":          {"./a.bin: invalid argument: expected a path from the root", fs.ErrInvalid},
		"npy:..":           {"..: invalid argument: expected a path from the root", fs.ErrInvalid},
		"b.bin":            {"b.bin: file does not exist", fs.ErrNotExist},
		"[":                {"pattern [: syntax error in pattern", nil},
		"x/*":              {"no file or folder matches x/*", fs.ErrNotExist},
		"cut.bin":          {"cut.bin (5000 bytes): unknown format", ErrFormat},
		"cifar10:cut.bin":  {"cut.bin: 5000 bytes are not a multiple", nil},
		"cifar10:pipe.bin": {"pipe.bin: not a regular file", nil},
		"up":               {"up/x: expected at most 255 folders in each other", nil},
		"empty":            {"empty: no images", ErrNoImages},
	} {
		d, err := OpenFS(fsys, spec)
		require.ErrorContains(t, err, c.want)
		require.Nil(t, d)
		if c.is != nil {
			require.ErrorIs(t, err, c.is)
		}
	}
	d, err := OpenFS(fsys, "broken")
	require.NoError(t, err)
	_, err = d.Image(0)
	require.ErrorContains(t, err, "broken/a.png: ")
}

// liar is a tree with one file whose stated size differs from its data, or whose reading fails if err is set.
type liar struct {
	data []byte
	size int64
	err  error
}

func (l liar) Open(name string) (fs.File, error) {
	if name != "x" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &lie{liar: l, r: bytes.NewReader(l.data)}, nil
}

type lie struct {
	liar
	r *bytes.Reader
}

func (l *lie) Stat() (fs.FileInfo, error) { return l, nil }
func (l *lie) Close() error               { return nil }
func (l *lie) Name() string               { return "x" }
func (l *lie) Size() int64                { return l.size }
func (l *lie) Mode() fs.FileMode          { return 0o444 }
func (l *lie) ModTime() time.Time         { return time.Time{} }
func (l *lie) IsDir() bool                { return false }
func (l *lie) Sys() any                   { return nil }
func (l *lie) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Read(p)
}

// A tree that misstates sizes, or fails, gives an error that names the file, and does not make the reader allocate
// memory for data that do not exist.
func TestOpenFSLies(t *testing.T) {
	boom := errors.New("boom")
	for _, data := range [][]byte{cifarFile(1, 1), idxFile(1, 2, 3), gz(t, idxFile(1, 2, 3)), dot(t, 1),
		tarOf(t, inTar("a.png", dot(t, 1)))} {
		size := int64(len(data))
		_, err := OpenFS(liar{data, size, nil}, "x")
		require.NoError(t, err)
		for _, l := range []liar{{data, size + 1, nil}, {data, maxUnpacked, nil}, {data, maxUnpacked + 1, nil},
			{data, -1, nil},
			{data, 0, nil}, {data, size, boom}} {
			d, err := OpenFS(l, "x")
			if err == nil { // pictures are read on demand, so that opening may succeed
				_, err = d.Image(0)
			}
			require.ErrorContains(t, err, "x")
			switch {
			case l.err != nil:
				require.ErrorIs(t, err, boom)
			case l.size > size && l.size <= maxUnpacked:
				require.True(t, errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
					l.size > maxPictureFile, "%v", err)
			}
		}
	}
}
