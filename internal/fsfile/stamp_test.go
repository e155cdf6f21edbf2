package fsfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStamp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	stamp := func() Stamp {
		info, err := os.Stat(path)
		require.NoError(t, err)
		s, ok := StampOf(info)
		require.True(t, ok)
		return s
	}
	require.NoError(t, os.WriteFile(path, []byte("one"), 0o666))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	first := stamp()
	require.Equal(t, first, stamp())
	require.Equal(t, int64(3), first.Size)
	require.InDelta(t, old.UnixNano(), first.Modified, 2e9)
	require.NoError(t, os.WriteFile(path, []byte("two"), 0o666))
	require.NotEqual(t, first, stamp())
	require.NoError(t, os.Chtimes(path, old, old)) // sets the time of modification back
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		require.NotEqual(t, first, stamp())
		require.Greater(t, first.Newest(), first.Modified)
	}
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	_, ok := StampOf(info)
	require.False(t, ok, "a folder")
}
