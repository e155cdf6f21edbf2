package reliability

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets/weights"
)

// world is a folder with a small network, images for it and a detector.
type world struct{ dir string }

const worldNet = "densenet-bc-10-4"

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{t.TempDir()}
	sd, err := weights.FromParams(nettest.DenseNetBC(t, 10, 4, 3, 2).Params())
	require.NoError(t, err)
	require.NoError(t, weights.Save(w.path("net.npz"), sd))
	const n = 1200
	labels := make([]int64, n)
	for i := range labels {
		labels[i] = int64(i % 3)
	}
	require.NoError(t, npyz.WriteNpz(w.path("images.npz"), npyz.Stored,
		npyz.Named{Name: "images", Array: npyz.New(pixels(n, 32, 32), n, 32, 32, 3)},
		npyz.Named{Name: "labels", Array: npyz.New(labels)}))
	noise := pixels(200, 32, 32)
	for i := range noise {
		noise[i] = 255 - noise[i]/3
	}
	require.NoError(t, npyz.WriteNpyFile(w.path("noise.npy"), npyz.New(noise, 200, 32, 32, 3)))
	code, text := w.run(w.fit("det.npz")...)
	require.Zero(t, code, text)
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

func (w world) net() []string { return []string{"--net", worldNet, "--weights", w.path("net.npz")} }

func (w world) fit(out string) []string {
	return append([]string{"fit", "--data", w.path("images.npz"), "--out", w.path(out)}, w.net()...)
}

func (w world) eval(more ...string) []string {
	args := append([]string{"eval", "--fit", w.path("images.npz"), "--id", w.path("images.npz"), "--ood",
		"noise=" + w.path("noise.npy"),
		"--methods", "line,msp,energy"}, w.net()...)
	return append(args, more...)
}

// command returns goline as a process of its own.
func (w world) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asGoline+"=1", "TMPDIR="+w.dir, "GOTMPDIR="+w.dir)
	return cmd
}

// run returns the exit status, -1 for a process that was killed by a signal, and the output.
func (w world) run(args ...string) (code int, text string) {
	var out bytes.Buffer
	cmd := w.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String()
}
