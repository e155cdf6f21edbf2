package job

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMillionNamesOnPrism runs jobs for 10,000 and for a million names with prism in the same process, and compares the
// process' largest memory. No picture exists, so that all of them become dead letters and the network has nothing to
// do. It takes half a minute, and runs if GOLINE_BEAM_MILLION is set.
func TestMillionNamesOnPrism(t *testing.T) {
	if os.Getenv("GOLINE_BEAM_MILLION") == "" {
		t.Skip("set GOLINE_BEAM_MILLION=1")
	}
	dir := t.TempDir()
	put(t, dir, inputs(t, 12))
	require.NoError(t, runs(t, Options{Job: Fit, Network: testNet, Weights: join(dir, "net.npz"),
		Data: join(dir, "list.txt"), Out: join(dir, "det.npz"), LINe: DefaultParameters()}))
	peak := func(names int) int {
		list := filepath.Join(dir, fmt.Sprint(names, ".txt"))
		f, err := os.Create(list)
		require.NoError(t, err)
		w := bufio.NewWriter(f)
		for i := range names {
			fmt.Fprintf(w, "train/n%08d/n%08d_%09d.JPEG %d\n", i%1000, i%1000, i, i%1000)
		}
		require.NoError(t, w.Flush())
		require.NoError(t, f.Close())
		debug.FreeOSMemory()
		// from here on the largest memory is measured anew
		require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
		start := time.Now()
		require.NoError(t, runs(t, Options{Job: Score, Detector: join(dir, "det.npz"), Data: list, Bundles: 8,
			Out:         filepath.Join(dir, fmt.Sprint("scores", names)),
			DeadLetters: filepath.Join(dir, fmt.Sprint("unread", names))}))
		letters, err := filepath.Glob(filepath.Join(dir, fmt.Sprint("unread", names), "*"))
		require.NoError(t, err)
		require.Len(t, letters, names/piece)
		status, err := os.ReadFile("/proc/self/status")
		require.NoError(t, err)
		m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
		require.NotNil(t, m)
		kB, err := strconv.Atoi(string(m[1]))
		require.NoError(t, err)
		t.Logf("%d names: %.1f s, at most %d MiB resident", names, time.Since(start).Seconds(), kB>>10)
		return kB << 10
	}
	few := peak(10_000)
	require.Less(t, peak(1_000_000)-few, 128<<20)
}
