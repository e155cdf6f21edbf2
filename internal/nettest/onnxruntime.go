package nettest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
)

//go:embed run.py
var runONNX string

// ONNXRun is an ONNX file with a batch for it. RunONNX sets Outputs or Err.
type ONNXRun struct {
	File    []byte
	Input   []int // the shape of a sample
	Batch   graph.Batch
	Outputs *npyz.Archive
	Err     error
}

// RunONNX runs the files in ONNX Runtime on the given number of samples.
func RunONNX(t testing.TB, python string, samples int, runs ...*ONNXRun) {
	t.Helper()
	dir := t.TempDir()
	path := func(i int, name string) string { return filepath.Join(dir, fmt.Sprint(i, name)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	args := []string{filepath.Join(dir, "run.py"), strconv.Itoa(samples)}
	must(os.WriteFile(args[0], []byte(runONNX), 0o644))
	for i, r := range runs {
		must(os.WriteFile(path(i, ".onnx"), r.File, 0o644))
		must(npyz.WriteNpyFile(path(i, ".npy"), npyz.New(r.Batch.X, append([]int{r.Batch.N}, r.Input...)...)))
		args = append(args, path(i, ".onnx"), path(i, ".npy"), path(i, ".npz"))
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, r := range runs {
		if text, err := os.ReadFile(path(i, ".npz.txt")); err == nil {
			r.Err = errors.New(string(text))
			continue
		}
		r.Outputs, r.Err = npyz.ReadNpz(path(i, ".npz"))
	}
}
