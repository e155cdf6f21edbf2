package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

// TestMemoryStaysFlat: ten times the images take no more memory, except for what is kept of each image: logits and
// labels, or scores. Batches that are not released would show, because 9,000 images are 110 MB of network input.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 11,000 images in processes of their own")
	}
	w := newWorld(t)
	det := w.fit(t)
	// This format is read on demand.
	require.NoError(t, npyz.WriteNpyFile(w.path("part.npy"), npyz.New(pixels(100, 1, 20), 100, 32, 32, 3)))
	// peak runs a command over n images and returns its largest resident memory in bytes.
	peak := func(n int, args ...string) int64 {
		dir := t.TempDir()
		for i := range n / 100 {
			require.NoError(t, os.Symlink(w.path("part.npy"), filepath.Join(dir, fmt.Sprintf("%03d.npy", i))))
		}
		cmd := exec.Command(os.Args[0], append(args, "--data", filepath.Join(dir, "*.npy"))...)
		cmd.Env = append(os.Environ(), asGoline+"="+tellPeak)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), fmt.Sprintf("%d images", n))
		_, status, found := strings.Cut(string(out), "VmHWM:") // rusage would include the peak of the test itself
		if !found {
			t.Skip("this system does not tell the peak of a process")
		}
		kilobytes, err := strconv.ParseInt(strings.Fields(status)[0], 10, 64)
		require.NoError(t, err)
		return 1024 * kilobytes
	}
	for _, args := range [][]string{
		join([]string{"features", "--out", w.path("f.npz")}, w.net()),
		{"score", "--detector", det, "--out", w.path("s.csv")},
	} {
		few, many := peak(1000, args...), peak(10000, args...)
		t.Logf("%s: %.1f MB for 1,000 images, %.1f MB for 10,000", args[0], float64(few)/1e6, float64(many)/1e6)
		require.Less(t, many, few+40e6, args[0])
	}
}
