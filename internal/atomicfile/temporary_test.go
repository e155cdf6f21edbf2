package atomicfile

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSweep: files that nobody writes any more are removed. Files that are being written, and files with other names,
// stay.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{".goline-1.tmp", ".goline-2.tmp", "mine.tmp", ".goline-x"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o666))
		require.NoError(t, os.Chtimes(path, old, old))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".goline-new.tmp"), nil, 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".goline-folder.tmp"), 0o777))
	target := filepath.Join(dir, "out")
	require.NoError(t, Write(target, func(w io.Writer) error {
		for name := range live.set {
			require.NoError(t, os.Chtimes(name, old, old)) // as if its writer had been waiting for long
		}
		if runtime.GOOS != "windows" && runtime.GOOS != "js" { // on those, the age alone decides
			Sweep(dir)
		}
		_, err := io.WriteString(w, "whole")
		return err
	}))
	Sweep(dir)
	Sweep(filepath.Join(dir, "nowhere"))
	var names []string
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{".goline-folder.tmp", ".goline-new.tmp", ".goline-x", "mine.tmp", "out"}, names)
	data, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, "whole", string(data))
}

// TestRemoveTemporary: a file that is being written is removed, its writer fails, and nothing is left.
func TestRemoveTemporary(t *testing.T) {
	dir := t.TempDir()
	err := Write(filepath.Join(dir, "out"), func(w io.Writer) error {
		require.Len(t, live.set, 1)
		RemoveTemporary()
		_, err := io.WriteString(w, "x")
		return err
	})
	require.Error(t, err)
	require.Empty(t, live.set)
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}
