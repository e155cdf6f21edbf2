package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asWorker is the environment variable that makes a process of the test binary work on a bundle: the value is the
// bundle's folder of inputs, the first argument the folder to write to.
const asWorker = "GOLINE_BEAM_WORKER"

// workBundle does what a worker does for a runner that gives it all pieces of a fit and of scores as one bundle each.
// What it would send to the runner it writes to files: "sums" and "names". These are there only when the bundle is
// finished, for a runner discards what a worker sent of a bundle that it did not finish.
func workBundle(ctx context.Context, in, out string) error {
	fit := Options{Job: Fit, Network: testNet, Weights: join(in, "net.npz"), Data: join(in, "list.txt"),
		Out: join(out, "det.npz"), Pieces: 12, LINe: DefaultParameters(), DeadLetters: join(out, "letters"),
		Parts: join(out, "parts")}
	score := Options{Job: Score, Detector: join(in, "det.npz"), Data: fit.Data, Out: join(out, "scores"), Pieces: 12,
		DeadLetters: fit.DeadLetters}
	var sums, names []byte
	buried := func(name string) { names = append(names, filepath.Base(name)...) }
	a := &fitFn{work{Options: fit}}
	err := bundle(ctx, &a.work, func(p Piece) error {
		return a.ProcessElement(ctx, p, func(s Sums) {
			data, err := encodeSums(s)
			if err != nil {
				panic(err)
			}
			sums = append(sums, data...)
		}, buried)
	})
	if err != nil {
		return err
	}
	b := &fileFn{work{Options: score}}
	err = bundle(ctx, &b.work, func(p Piece) error {
		return b.ProcessElement(ctx, p, func(name string) { names = append(names, filepath.Base(name)...) }, buried)
	})
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(out, "sums"), sums, 0o666),
		os.WriteFile(filepath.Join(out, "names"), names, 0o666))
}

func bundle(ctx context.Context, w *work, one func(p Piece) error) error {
	if err := w.Setup(ctx); err != nil {
		return err
	}
	m := &matchFn{w.Options}
	var failed error
	err := m.ProcessElement(ctx, nil, func(p Piece) {
		if failed == nil {
			failed = one(p)
		}
	})
	return errors.Join(err, failed)
}

// TestKilledBundle: a worker is killed in the middle of a bundle, as it may be under a runner that tries again, and
// another process gets the same bundle while what the first one wrote is still there. The files and what it sends to
// the runner are those of a worker that nobody disturbed.
func TestKilledBundle(t *testing.T) {
	in, want := t.TempDir(), t.TempDir()
	files := inputs(t, 60)
	files["p7.png"] = []byte("no picture")
	put(t, in, files)
	o := Options{Job: Fit, Network: testNet, Weights: join(in, "net.npz"), Data: join(in, "list.txt"),
		Out: join(in, "det.npz"), LINe: DefaultParameters(), DeadLetters: t.TempDir()}
	require.NoError(t, runs(t, o))
	require.NoError(t, workBundle(t.Context(), in, want))
	wanted := tree(t, want)
	require.Len(t, wanted, 2+2*12+2*12+1) // what is sent, files and records of both jobs, and one file of letters
	for _, after := range []string{"parts/*.json", "scores/*.csv"} {
		out := t.TempDir()
		worker := func() *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), os.Args[0], out)
			cmd.Env = append(os.Environ(), asWorker+"="+in)
			return cmd
		}
		first := worker()
		require.NoError(t, first.Start())
		require.Eventually(t, func() bool {
			done, err := filepath.Glob(filepath.Join(out, after))
			return err == nil && len(done) >= 2
		}, time.Minute, 100*time.Microsecond)
		require.NoError(t, first.Process.Kill())
		require.Error(t, first.Wait())
		require.NoFileExists(t, filepath.Join(out, "sums"), "the worker was done before it was killed")
		output, err := worker().CombinedOutput()
		require.NoError(t, err, "%s", output)
		got := tree(t, out)
		for name := range got { // what was being written when the process was killed
			if filepath.Ext(name) == ".tmp" {
				delete(got, name)
			}
		}
		require.Equal(t, len(wanted), len(got))
		for name, data := range wanted {
			require.True(t, data == got[name], "%s after %s", name, after)
		}
	}
}

// tree returns the contents of all files below a folder.
func tree(t testing.TB, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		all[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return all
}

// testWorker is the main function of the process that TestKilledBundle kills.
func testWorker(errs io.Writer) int {
	if err := workBundle(context.Background(), os.Getenv(asWorker), os.Args[1]); err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}
