package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func inf() float64 { return math.Inf(1) }

// asGoline is the environment variable that makes the test binary run as goline. With the value tellPeak the program
// also prints its peak memory at the end.
const asGoline, tellPeak = "GOLINE_TEST_RUN_MAIN", "peak"

func TestMain(m *testing.M) {
	switch os.Getenv(asGoline) {
	case "":
		os.Exit(m.Run())
	case tellPeak:
		code := Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)
		status, _ := os.ReadFile("/proc/self/status")
		os.Stderr.Write(status)
		os.Exit(code)
	default:
		os.Exit(Main())
	}
}

// long returns a DATA argument of many images: one file under many names.
func (w world) long(t testing.TB, name string) string {
	t.Helper()
	w.writeImages(t, "part.npz", 60, 1, 20, roundLabels(60))
	require.NoError(t, os.Mkdir(w.path(name), 0o777))
	for i := range 50 {
		require.NoError(t, os.Symlink(w.path("part.npz"), filepath.Join(w.path(name), string(rune('A'+i))+".npz")))
	}
	return filepath.Join(w.path(name), "*.npz")
}

// commandsThatRunLong returns command lines of the most used commands that run the network, over many images, with
// outputs in a folder.
func (w world) commandsThatRunLong(t testing.TB, out string) [][]string {
	long, det := w.long(t, "long"), w.fit(t)
	return [][]string{
		join([]string{"features", "--data", long, "--out", filepath.Join(out, "f.npz")}, w.net()),
		join([]string{"fit", "--data", long, "--out", filepath.Join(out, "det.npz")}, w.net()),
		{"score", "--detector", det, "--data", long, "--out", filepath.Join(out, "s.csv")},
		w.eval("--fit", long, "--json", filepath.Join(out, "e.json"), "--features-dir", out),
	}
}

// TestCancel: a command that is cancelled while it works says so, exits with 130 and leaves no files behind.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	out := t.TempDir()
	for _, args := range w.commandsThatRunLong(t, out) {
		ctx, cancel := context.WithCancel(context.Background())
		var stderr bytes.Buffer
		// The first progress output comes when one batch is done and many are not.
		code, stdout := runWith(ctx, &stderr, cancel, append(args, "--progress", "always")...)
		require.Equal(t, exitInterrupted, code, "%q: %s", args, stderr.String())
		require.Empty(t, stdout)
		require.True(t, strings.HasSuffix(stderr.String(), "goline: interrupted\n"), stderr.String())
		require.Empty(t, entries(t, out), "%q", args)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr bytes.Buffer
	code, _ := runWith(ctx, &stderr, func() {}, w.eval()...)
	require.Equal(t, exitInterrupted, code)
	require.Equal(t, "goline: interrupted\n", stderr.String())
}

// TestSignals runs the program as a process and sends it signals.
func TestSignals(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := newWorld(t)
	out := t.TempDir()
	for i, args := range w.commandsThatRunLong(t, out) {
		var text string
		status := exitDone
		// On a busy machine a command may end before the signal comes; then another try tells.
		for try := 0; try < 20 && status == exitDone; try++ {
			status, text = signalled(t, []os.Signal{os.Interrupt, syscall.SIGTERM}[i%2], args...)
			if status == exitDone {
				for _, name := range entries(t, out) {
					require.NoError(t, os.RemoveAll(filepath.Join(out, name)))
				}
			}
		}
		require.Equal(t, exitInterrupted, status, text)
		require.Contains(t, text, "goline: interrupted\n")
		require.Empty(t, entries(t, out), "%q", args)
	}
}

// signalled starts goline in a process, sends it a signal when it first tells its progress, and returns its status and
// what it wrote to stderr after that.
func signalled(t *testing.T, signal os.Signal, args ...string) (status int, text string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(args, "--progress", "always")...)
	cmd.Env = append(os.Environ(), asGoline+"=1")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	first := make([]byte, 1)
	_, err = io.ReadFull(stderr, first) // the work has begun
	require.NoError(t, err)
	if err := cmd.Process.Signal(signal); !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	rest, err := io.ReadAll(stderr)
	require.NoError(t, err)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), string(rest)
}

// TestProgress: progress goes to stderr only, and only where it is wanted.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	args := join([]string{"features", "--data", w.long(t, "long"), "--out", w.path("f.npz")}, w.net())
	quiet := must(t, args...) // stderr is no terminal
	require.Equal(t, quiet, must(t, append(args, "--progress", "never")...))
	code, stdout, stderr := runGoline(append(args, "--progress", "always")...)
	require.Equal(t, exitDone, code)
	require.Equal(t, quiet, stdout)
	require.Contains(t, stderr, "features")
	code, table, _ := runGoline(w.eval("--progress", "always")...)
	require.Equal(t, exitDone, code)
	rates := func(stdout string) string { // without the table of times, which differs from run to run
		first, _, found := strings.Cut(stdout, "\n\n")
		require.True(t, found, stdout)
		return first
	}
	require.Equal(t, rates(must(t, w.eval()...)), rates(table))
}
