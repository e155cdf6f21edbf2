package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDescriptor: a descriptor is recognised by each of its names, through any chain of links to it or to its folder,
// and before the link from it to its file is followed. Names that only look alike are none.
func TestDescriptor(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("there are no names for descriptors")
	}
	dir := t.TempDir()
	link := func(to, name string) string {
		at := filepath.Join(dir, name)
		require.NoError(t, os.Symlink(to, at))
		return at
	}
	pid := os.Getpid()
	paths := map[string]int{
		"/dev/stdout": 1, "/dev/stderr": 2, "/dev/../dev//stdout": 1, "/dev/fd/7": 7, "/proc/self/fd/3": 3,
		"/proc/thread-self/fd/1": 1, fmt.Sprintf("/proc/%d/fd/4", pid): 4,
		fmt.Sprintf("/proc/self/task/%d/fd/1", pid): 1,
		link("/dev/stdout", "out.csv"):              1,
		link("out.csv", "again.csv"):                1,
		link("/dev/fd/2", "fd2"):                    2,
		link("/dev", "devices") + "/stdout":         1,
	}
	if runtime.GOOS == "linux" {
		paths[link("/proc/self/fd", "own")+"/1"] = 1
		paths[link("/proc/self", "self")+"/fd/5"] = 5
	}
	for path, want := range paths {
		fd, whose := descriptor(path)
		require.Equal(t, own, whose, path)
		require.Equal(t, want, fd, path)
		require.True(t, IsStream(path), path)
	}
	other := fmt.Sprintf("/proc/%d/fd/1", os.Getppid())
	for _, path := range []string{other, link(other, "foreign")} {
		fd, whose := descriptor(path)
		require.Equal(t, foreign, whose, path)
		require.Equal(t, 1, fd, path)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), nil, 0o666))
	for _, path := range []string{filepath.Join(dir, "plain"), link("plain", "toplain"), link("loop", "loop"),
		link("nowhere", "dangling"), filepath.Join(dir, "missing"), "/dev/fd", "/dev/fd/x", "/dev/fd/1/x",
		"/proc/self/fd/99999999999999999999", filepath.Join(dir, "dev/stdout"), "1", "stdout", ""} {
		_, whose := descriptor(path)
		require.Equal(t, nobody, whose, path)
	}
}
