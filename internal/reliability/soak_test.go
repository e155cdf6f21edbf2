package reliability

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cli"
	"github.com/line-ood/goline/line"
)

// usage is what a process holds after garbage collection.
type usage struct {
	heap              uint64
	goroutines, files int
}

func measure() usage {
	for range 3 { // finalizers may need several collections
		debug.FreeOSMemory()
		time.Sleep(10 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = len(open)
	}
	return u
}

// TestSoak scores, fits, evaluates, cancels and reloads in one process, for one second or as many as GOLINE_SOAK says.
// At the end the heap, the goroutines and the open files are those after the first round.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	w := newWorld(t)
	seconds := trials(t, "GOLINE_SOAK", 1)
	rng := rand.New(rand.NewPCG(1, 1))
	rounds, cancelled := 0, 0
	round := func() {
		rounds++
		for i, args := range [][]string{
			w.fit("soak.npz"),
			{"score", "--detector", w.path("soak.npz"), "--data", w.path("images.npz"), "--out", w.path("soak.csv")},
			w.eval("--json", w.path("soak.json"), "--features-dir", w.path("soak")),
			{"inspect", w.path("soak.npz")},
			// a command that fails
			{"score", "--detector", w.path("net.npz"), "--data", w.path("images.npz"), "--out", w.path("no.csv")},
		} {
			var out, errs bytes.Buffer
			code := cli.Run(context.Background(), args, &out, &errs)
			if want := map[bool]int{true: 1}[i == 4]; code != want {
				t.Fatalf("%q: status %d: %s", args, code, errs.String())
			}
		}
		require.NoError(t, os.RemoveAll(w.path("soak")))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(rng.IntN(80))*time.Millisecond, cancel)
		var out, errs bytes.Buffer
		if code := cli.Run(ctx, w.fit("cancelled.npz"), &out, &errs); code == 130 {
			cancelled++
		}
		cancel()
		det, err := line.Load(w.path("soak.npz"))
		require.NoError(t, err)
		require.NotEmpty(t, det.FitPictures())
		left, err := filepath.Glob(w.path(".goline-*.tmp"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
	round()
	round()
	before := measure()
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); {
		round()
	}
	after := measure()
	t.Logf("%d rounds, %d cancelled: heap %.1f MiB, then %.1f; goroutines %d, then %d; open files %d, then %d", rounds,
		cancelled,
		float64(before.heap)/(1<<20), float64(after.heap)/(1<<20), before.goroutines, after.goroutines, before.files,
		after.files)
	require.Less(t, after.heap, before.heap+before.heap/5+(4<<20))
	require.LessOrEqual(t, after.goroutines, before.goroutines+2)
	require.LessOrEqual(t, after.files, before.files+2)
}
