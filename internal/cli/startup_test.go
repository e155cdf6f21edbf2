package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// TestStartSpeed prints where the time of goline score on one picture goes from the start of its process, medians of
// eleven: SPEED=1 go test -v -run TestStartSpeed ./internal/cli.
func TestStartSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("a measurement: set SPEED=1")
	}
	checkpoint := sharedtest.Path(t, "checkpoints", "cifar10_densenet_bc_100_12.pth.tar")
	images, err := os.ReadFile(sharedtest.Path(t, "data", "cifar10_train_5000.bin"))
	require.NoError(t, err)
	dir := t.TempDir()
	det := filepath.Join(dir, "det.npz")
	const record = 1 + 3*32*32 // of a picture in CIFAR-10's binary files
	some, picture := filepath.Join(dir, "some.bin"), filepath.Join(dir, "one.bin")
	require.NoError(t, os.WriteFile(some, images[:500*record], 0o600))
	require.NoError(t, os.WriteFile(picture, images[:record], 0o600))
	require.Equal(t, exitDone, first(runGoline("fit", "--net", "densenet-bc-100-12", "--weights", checkpoint, "--data",
		some, "--out", det)))
	times := map[string][]float64{}
	timed := func(what string, f func()) {
		start := time.Now()
		f()
		times[what] = append(times[what], time.Since(start).Seconds()*1e3)
	}
	process := func(args ...string) func() {
		return func() {
			cmd := exec.Command(os.Args[0], args...)
			cmd.Env = append(os.Environ(), asGoline+"=1")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
	for range 11 {
		timed("all of goline score", process("score", "--detector", det, "--data", picture, "--out",
			filepath.Join(dir, "scores.csv"), "--progress", "never"))
		timed("  an empty command", process("version"))
		var d *line.Detector
		timed("  detector and weights read", func() {
			var err error
			d, err = line.Load(det)
			require.NoError(t, err)
		})
		for _, threads := range []int{1, 2} {
			o := graph.Options{Batch: 1, Workers: 1, Threads: threads, Fetch: []string{nets.Features, nets.Logits}}
			var prog *graph.Program
			timed(fmt.Sprintf("  graph built, compiled, packed (%d threads)", threads), func() {
				var err error
				prog, err = graph.Compile(d.Network(), o)
				require.NoError(t, err)
			})
			x := make([]float32, 3*32*32)
			for _, what := range []string{"first", "next"} {
				timed(fmt.Sprintf("  %s image (%d threads)", what, threads), func() {
					for _, err := range prog.Run(t.Context(), func(yield func(graph.Batch, error) bool) {
						yield(graph.Batch{X: x, N: 1}, nil)
					}) {
						require.NoError(t, err)
					}
				})
			}
		}
	}
	for _, what := range slices.Sorted(func(yield func(string) bool) {
		for what := range times {
			if !yield(what) {
				return
			}
		}
	}) {
		all := slices.Sorted(slices.Values(times[what]))
		t.Logf("%-46s %7.2f ms (%.2f to %.2f)", what, all[len(all)/2], all[0], all[len(all)-1])
	}
}
