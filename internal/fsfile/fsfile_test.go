package fsfile_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/fsfile"
)

// streams hides all methods of files that an fs.File need not have.
type streams struct{ fs.FS }

func (s streams) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return struct{ fs.File }{f}, nil
}

func TestOpenAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o644))
	memory := fstest.MapFS{"f": {Data: []byte("hello")}}
	for _, c := range []struct {
		fsys fs.FS
		name string
	}{{fsfile.Disk(), path}, {memory, "f"}, {streams{memory}, "f"}} {
		f, err := fsfile.Open(c.fsys, c.name, 5, 5)
		require.NoError(t, err)
		var b [3]byte
		_, err = f.ReadAt(b[:], 2)
		require.NoError(t, err)
		require.Equal(t, "llo", string(b[:]))
		require.NoError(t, f.Close())

		data, err := fsfile.Read(c.fsys, c.name, 5, 5)
		require.NoError(t, err)
		require.Equal(t, "hello", string(data))
		_, err = fsfile.Read(c.fsys, c.name, 5, 4)
		require.ErrorContains(t, err, c.name+": expected at most 4 bytes, got 5")
		_, err = fsfile.Read(c.fsys, c.name, -1, 4)
		require.ErrorContains(t, err, c.name+": expected at most 4 bytes, got -1")
		_, err = fsfile.Read(c.fsys, c.name, 6, 6)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, c.name+": expected 6 bytes, got 5")

		_, err = fsfile.Open(c.fsys, c.name+"x", 5, 5)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsfile.Read(c.fsys, c.name+"x", 5, 5)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	_, err := fsfile.Open(streams{memory}, "f", 1<<40, 1<<40) // must not allocate the claimed size
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = fsfile.Open(streams{memory}, "f", 5, 4)
	require.ErrorContains(t, err, "f: expected at most 4 bytes, got 5")
}
