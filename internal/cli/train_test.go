package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// trainData writes 60 pictures of two classes, dark and bright, of 28×28 pixels.
func trainData(t *testing.T, dir string) string {
	t.Helper()
	const n = 60
	pix, labels := make([]uint8, n*784), make([]int64, n)
	for i := range pix {
		class := i / 784 % 2
		labels[i/784] = int64(class)
		pix[i] = uint8(60 + 110*class + i*7919%61)
	}
	path := filepath.Join(dir, "data.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "images", Array: npyz.New(pix, n, 28, 28)},
		npyz.Named{Name: "labels", Array: npyz.New(labels)}))
	return path
}

func runGoline(args ...string) (code int, stdout, stderr string) {
	var out, problem bytes.Buffer
	code = Run(context.Background(), args, &out, &problem)
	return code, out.String(), problem.String()
}

func TestTrainCommand(t *testing.T) {
	dir := t.TempDir()
	data := trainData(t, dir)
	out := filepath.Join(dir, "model.npz")
	args := []string{"train", "--net", "resnet-fashion-8-2", "--data", data, "--val", data, "--epochs", "3", "--batch",
		"20", "--lr", "0.1", "--warmup", "1"}
	code, stdout, stderr := runGoline(append(args, "--out", out, "--progress", "always")...)
	require.Zero(t, code, stderr)
	require.Equal(t, 3, strings.Count(stdout, "epoch "))
	require.Contains(t, stdout, "trained for 9 steps")
	require.Contains(t, stderr, "images/s")
	require.Contains(t, stderr, "left")
	for _, name := range []string{"model.npz", "model.curves.csv", "model.curves.png"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
	require.NoFileExists(t, filepath.Join(dir, "model.checkpoint.npz"), "the run is done")
	net, err := nets.Open("resnet-fashion-8-2", out)
	require.NoError(t, err)
	require.Equal(t, 2, net.Classes())

	other := filepath.Join(dir, "again.safetensors")
	code, _, stderr = runGoline(append(args, "--out", other, "--workers", "3")...)
	require.Zero(t, code, stderr)
	again, err := nets.Open("resnet-fashion-8-2", other)
	require.NoError(t, err)
	for i, p := range net.Params() {
		require.Equal(t, p.Float32s(), again.Params()[i].Float32s(), "%s for another number of workers", p.Name)
	}
}

func TestTrainCommandDiverges(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "model.npz")
	code, _, stderr := runGoline("train", "--net", "resnet-fashion-8-2", "--data", trainData(t, dir), "--epochs", "30",
		"--batch", "20",
		"--schedule", "constant", "--lr", "1e18", "--checkpoint-every", "1", "--out", out)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "diverged")
	require.Contains(t, stderr, "model.checkpoint.npz")
	require.NoFileExists(t, out)
	require.FileExists(t, filepath.Join(dir, "model.checkpoint.npz"))
}

func TestTrainCommandAsksBeforeItOverwritesACheckpoint(t *testing.T) {
	dir := t.TempDir()
	checkpoint := filepath.Join(dir, "run.npz")
	require.NoError(t, os.WriteFile(checkpoint, []byte("precious"), 0o600))
	args := []string{"train", "--net", "resnet-fashion-8-2", "--data", trainData(t, dir), "--epochs", "1", "--batch",
		"20", "--checkpoint", checkpoint,
		"--out", filepath.Join(dir, "model.npz")}
	code, _, stderr := runGoline(args...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--resume")
	code, _, stderr = runGoline(append(args, "--resume")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, checkpoint)
	kept, err := os.ReadFile(checkpoint)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

func TestTrainCommandRefuses(t *testing.T) {
	dir := t.TempDir()
	good := map[string]string{"--net": "resnet-fashion-8-2", "--data": trainData(t, dir), "--epochs": "1",
		"--batch": "20", "--out": filepath.Join(dir, "m.npz")}
	for _, c := range []struct {
		flag, value string
		code        int
		want        string
	}{
		{"--net", "", exitUsage, "--net is required"},
		{"--net", "lenet", exitUsage, "unknown network"},
		{"--data", "", exitUsage, "--data is required"},
		{"--data", filepath.Join(dir, "nothing"), exitFailed, "nothing"},
		{"--epochs", "0", exitUsage, "--epochs 0"},
		{"--batch", "0", exitUsage, "--batch 0"},
		{"--batch", "61", exitUsage, "batch: expected 1 to 60 images, as many as "},
		{"--out", "model.pth", exitUsage, ".safetensors"},
		{"--out", filepath.Join(dir, "no", "m.npz"), exitFailed, "there is no folder"},
		{"--curves", filepath.Join(dir, "no", "c"), exitFailed, "there is no folder"},
		{"--checkpoint", good["--out"], exitUsage, "are the same file"},
		{"--optimizer", "lion", exitUsage, "lion"},
		{"--lr", "-1", exitUsage, "learning rate"},
		{"--lr", "nan", exitUsage, "learning rate"},
		{"--schedule", "foo", exitUsage, "foo"},
		{"--momentum", "1", exitUsage, "momentum"},
		{"--weight-decay", "-1", exitUsage, "weight decay"},
		{"--label-smoothing", "1", exitUsage, "label smoothing"},
		{"--mixup", "-1", exitUsage, "mixup"},
		{"--crop", "99", exitUsage, "crop"},
		{"--progress", "maybe", exitUsage, "maybe"},
		{"--workers", "-1", exitUsage, "--workers"},
		{"--classes", "1", exitFailed, "expected a label from 0 to 0, got 1"},
	} {
		args := []string{"train"}
		for name, value := range good {
			if name != c.flag {
				args = append(args, name, value)
			}
		}
		if c.value != "" {
			args = append(args, c.flag, c.value)
		}
		code, _, stderr := runGoline(args...)
		require.Equal(t, c.code, code, "%s %s: %s", c.flag, c.value, stderr)
		require.Contains(t, stderr, c.want)
	}
}
