//go:build unix

package reliability

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/damage"
)

// job is a command line with the file that it writes. The content is always the same, except that an interrupted
// command may write what it has so far and mark it as partial.
type job struct {
	args []string
	out  string
}

func (w world) jobs() []job {
	train := append([]string{"train", "--net", worldNet, "--data", w.path("images.npz"), "--epochs", "2", "--batch",
		"24", "--checkpoint-every", "9",
		"--resume", "--progress", "never", "--out", w.path("trained.npz")}, []string{}...)
	return []job{
		{append([]string{"features", "--data", w.path("images.npz"), "--out", w.path("features.npz")}, w.net()...),
			"features.npz"},
		{w.fit("fitted.npz"), "fitted.npz"},
		{[]string{"score", "--detector", w.path("det.npz"), "--data", w.path("images.npz"), "--out",
			w.path("scores.csv")}, "scores.csv"},
		{[]string{"calibrate", "--detector", w.path("det.npz"), "--data", w.path("noise.npy"), "--out",
			w.path("calibrated.npz")}, "calibrated.npz"},
		{append([]string{"attribute", "values", "--data", w.path("images.npz"), "--images", "8", "--csv",
			w.path("values.csv")}, w.net()...), "values.csv"},
		{train, "trained.npz"},
	}
}

// TestKills ends every command at random moments with KILL, TERM, INT and HUP. Afterwards its output is missing or
// complete, and never incomplete without saying so. Only KILL may leave a temporary file. With the other signals the
// status is 130, within about a second. Run again, the command writes its usual output.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	n := trials(t, "GOLINE_FAULTS", 2)
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
	var worst time.Duration
	interrupted, finished, killed := 0, 0, 0
	for _, j := range w.jobs() {
		start := time.Now()
		code, text := w.run(j.args...)
		require.Zero(t, code, "%q: %s", j.args, text)
		took := time.Since(start)
		want, err := os.ReadFile(w.path(j.out))
		require.NoError(t, err)
		for k := range n * len(signals) {
			require.NoError(t, os.Remove(w.path(j.out)))
			cmd := w.command(j.args...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Start())
			time.Sleep(time.Duration(rng.Int64N(int64(took))))
			s := signals[k%len(signals)]
			sent := time.Now()
			_ = cmd.Process.Signal(s)
			_ = cmd.Wait()
			late := time.Since(sent)
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			got, err := os.ReadFile(w.path(j.out))
			switch {
			case status.Signaled() && status.Signal() == s: // also before the program could handle it
				killed++
			case cmd.ProcessState.ExitCode() == 130:
				interrupted++
				worst = max(worst, late)
				require.Contains(t, out.String(), "goline: interrupted\n")
			default:
				require.Zero(t, cmd.ProcessState.ExitCode(), "%q after %v: %s", j.args, s, out.String())
				require.NoError(t, err, "it ended well")
				finished++
			}
			if err == nil && !(status.ExitStatus() == 130 && markedPartial(t, got)) {
				require.True(t, bytes.Equal(want, got), "%q after %v: %d bytes of %d", j.args, s, len(got), len(want))
			}
			left, err := filepath.Glob(w.path(".goline-*.tmp"))
			require.NoError(t, err)
			if !status.Signaled() {
				require.Empty(t, left, "%q after %v", j.args, s)
			}
			for _, name := range left { // left by the killed process; too young for the next one to sweep
				require.NoError(t, os.Remove(name))
			}
			code, text := w.run(j.args...)
			require.Zero(t, code, "%q: %s", j.args, text)
			got, err = os.ReadFile(w.path(j.out))
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%q run again", j.args)
		}
	}
	require.Less(t, worst, 10*time.Second)
	t.Logf("%d killed, %d interrupted (the slowest ended after %v), %d had finished", killed, interrupted,
		worst.Round(time.Millisecond), finished)
}

// markedPartial tells whether the content is a complete table whose rows are all marked as partial, as goline attribute
// values writes it when it is interrupted.
func markedPartial(t *testing.T, content []byte) bool {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(rows) < 2 || !bytes.HasSuffix(content, []byte("\n")) {
		return false
	}
	column := slices.Index(rows[0], "partial")
	return column >= 0 && !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[column] != "true" })
}

// untimed returns the JSON of an evaluation without its times.
func untimed(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := slices.DeleteFunc(strings.Split(string(data), "\n"), func(l string) bool {
		return strings.Contains(l, "_seconds") || strings.Contains(l, "us_per_sample")
	})
	return strings.Join(lines, "\n")
}

// TestTwoProcessesOnOneFolder: two processes that keep features in one folder at the same time both print what a single
// one prints, every time.
func TestTwoProcessesOnOneFolder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := newWorld(t)
	code, text := w.run(w.eval("--json", w.path("alone.json"))...)
	require.Zero(t, code, text)
	want := untimed(t, w.path("alone.json"))
	for k := range trials(t, "GOLINE_FAULTS", 2) {
		if k%2 == 0 {
			require.NoError(t, os.RemoveAll(w.path("kept")))
		}
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				code, text := w.run(w.eval("--features-dir", w.path("kept"), "--json",
					w.path(fmt.Sprint(i, ".json")))...)
				if code != 0 {
					t.Errorf("status %d: %s", code, text)
				}
			})
		}
		wg.Wait()
		for i := range 3 {
			require.Equal(t, want, untimed(t, w.path(fmt.Sprint(i, ".json"))))
		}
	}
	// Damaged files in the folder lead to the right result, or to one line that says what to do.
	rng := rand.New(rand.NewPCG(5, 1))
	files, err := filepath.Glob(w.path("kept/*.npz"))
	require.NoError(t, err)
	more, err := filepath.Glob(w.path("kept/scores/*.npz"))
	require.NoError(t, err)
	damaged, refused := 0, 0
	for _, file := range append(files, more...) {
		whole, err := os.ReadFile(file)
		require.NoError(t, err)
		for range trials(t, "GOLINE_FAULTS", 2) {
			require.NoError(t, os.WriteFile(file, damage.Flip(whole, rng), 0o666))
			damaged++
			code, text := w.run(w.eval("--features-dir", w.path("kept"), "--json", w.path("again.json"))...)
			if code == 0 {
				require.Equal(t, want, untimed(t, w.path("again.json")))
				continue
			}
			refused++
			require.Equal(t, 1, code, text)
			require.Contains(t, text, file)
			require.Equal(t, 1, strings.Count(text, "\n"), text)
		}
		require.NoError(t, os.WriteFile(file, whole, 0o666))
	}
	t.Logf("of %d damaged entries %d refused, the others read rightly", damaged, refused)
}

// TestFullDisksAndClosedPipes: a full disk leads to one line and status 1, and no command hangs when its output has no
// reader.
func TestFullDisksAndClosedPipes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := newWorld(t)
	if _, err := os.Stat("/dev/full"); err == nil {
		for _, j := range w.jobs()[:5] {
			args := slices.Clone(j.args)
			at := slices.IndexFunc(args, func(a string) bool { return a == "--out" || a == "--csv" })
			args[at+1] = "/dev/full"
			if strings.HasSuffix(j.out, ".csv") || j.args[0] == "score" {
				args = append(args, "--progress", "never")
			}
			code, text := w.run(args...)
			require.Equal(t, 1, code, "%q: %s", args, text)
			require.Contains(t, text, "no space left", "%q", args)
			require.Contains(t, text, "/dev/full", "%q", args)
		}
	}
	for _, args := range [][]string{{"inspect", w.path("det.npz")}, {"score", "--detector", w.path("det.npz"), "--data",
		w.path("images.npz"), "--out", "-"}} {
		r, out, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		cmd := w.command(args...)
		cmd.Stdout = out
		require.NoError(t, cmd.Start())
		require.NoError(t, out.Close())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			require.Error(t, err, "%q", args)
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			t.Fatalf("%q waits for ever", args)
		}
	}
}

// TestFolderWithoutPermission: a folder without permission is an error. The test needs a user to whom permissions
// apply.
func TestFolderWithoutPermission(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	if os.Geteuid() == 0 {
		t.Skip("root may do anything")
	}
	w := newWorld(t)
	dir := w.path("closed")
	require.NoError(t, os.Mkdir(dir, 0o555))
	code, text := w.run(w.fit("closed/det.npz")...)
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "permission denied")
	require.NoError(t, os.Chmod(w.path("images.npz"), 0))
	code, text = w.run(w.fit("det2.npz")...)
	require.Equal(t, 1, code, text)
	require.Contains(t, text, "images.npz")
}

// TestPipesAreNotWaitedFor: a named pipe in the place of any file that is read is an error at once. No command waits
// for its writer.
func TestPipesAreNotWaitedFor(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := newWorld(t)
	pipe := w.path("pipe.npz")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	require.NoError(t, syscall.Mkfifo(w.path("pipe.onnx"), 0o666))
	require.NoError(t, os.MkdirAll(w.path("kept/scores"), 0o777))
	require.NoError(t, syscall.Mkfifo(w.path("kept/fit.npz"), 0o666))
	data := []string{"--data", w.path("images.npz"), "--out", w.path("o.npz")}
	score := []string{"score", "--detector", w.path("det.npz"), "--out", w.path("o.csv"), "--data",
		w.path("images.npz")}
	for _, args := range [][]string{
		append([]string{"features", "--net", worldNet, "--weights", pipe}, data...),
		append([]string{"features", "--net", w.path("pipe.onnx"), "--preprocess", "cifar"}, data...),
		append([]string{"score", "--detector", pipe}, append(slices.Clone(data[:3]), w.path("o.csv"))...),
		append(score, "--class-names", pipe),
		append(score, "--preprocess", pipe),
		append(score[:5:5], "--data", pipe),
		w.eval("--features-dir", w.path("kept")),
		w.eval("--contributions", pipe),
		{"inspect", pipe}, {"inspect", "--weights", pipe}, {"inspect", "--detector", pipe},
		append(slices.Clone(w.jobs()[5].args), "--checkpoint", pipe),
	} {
		var out bytes.Buffer
		cmd := w.command(args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		require.NoError(t, cmd.Start())
		stuck := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		require.True(t, stuck.Stop(), "%q waits for ever", args)
		require.Contains(t, []int{1, 2}, cmd.ProcessState.ExitCode(), "%q: %s", args, out.String())
	}
}
