package weights_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets/weights"
)

// asPyTorch compares the checkpoints in a folder, bit by bit, with what torch.load read from them
// (testdata/torch/make.py), and returns the number of tensors.
func asPyTorch(t *testing.T, dir string) int {
	t.Helper()
	z, err := npyz.OpenNpz(filepath.Join(dir, "expected.npz"))
	require.NoError(t, err)
	defer z.Close()
	files := map[string]*weights.StateDict{}
	tensors := 0
	for _, key := range z.Names() {
		file, name, ok := strings.Cut(key, "/")
		require.True(t, ok, key)
		if files[file] == nil {
			sd, err := weights.Read(filepath.Join(dir, file))
			require.NoError(t, err)
			files[file] = sd
		}
		got, ok := files[file].Get(name)
		require.True(t, ok, "%s has no %s", file, name)
		want, err := z.Read(key)
		require.NoError(t, err)
		shape := append([]int{}, want.Shape...)
		require.Equal(t, shape, append([]int{}, got.Shape...), "%s: %s", file, name)
		switch data := want.Data.(type) {
		case []float32:
			require.Len(t, got.F32, len(data), key)
			for i, v := range data {
				require.Equal(t, math.Float32bits(v), math.Float32bits(got.F32[i]),
					"%s: %s: element %d: expected %v, got %v", file, name, i, v, got.F32[i])
			}
		case []int64:
			require.Equal(t, append([]int64{}, data...), append([]int64{}, got.I64...), "%s: %s", file, name)
		default:
			t.Fatalf("%s: %T", key, data)
		}
		tensors++
	}
	count := 0
	for _, sd := range files {
		count += sd.Len()
	}
	require.Equal(t, tensors, count, "tensors that PyTorch did not read")
	return tensors
}

// TestVersionsOfPyTorch: checkpoints of PyTorch 1.13 and 2.15, in both of their formats and with each pickle protocol,
// are read as torch.load reads them: views, transposed and overlapping ones, halves, bfloat16, imaginary parts,
// parameters. Tensors whose elements have no such number type are refused.
func TestVersionsOfPyTorch(t *testing.T) {
	for _, version := range []string{"1.13.1", "2.15.0"} {
		dir := filepath.Join("testdata", "torch", version)
		require.Equal(t, 8*28, asPyTorch(t, dir))
		data, err := os.ReadFile(filepath.Join(dir, "refused.json"))
		require.NoError(t, err)
		var refused []string
		require.NoError(t, json.Unmarshal(data, &refused))
		require.GreaterOrEqual(t, len(refused), 6)
		for _, name := range refused {
			path := filepath.Join(dir, name)
			_, err := weights.Read(path)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, "not supported")
		}
	}
}

// TestRandomViewsAgainstPyTorch lets PyTorch save random views. The environment variable GOLINE_TORCH names a Python
// with torch and numpy.
func TestRandomViewsAgainstPyTorch(t *testing.T) {
	python := os.Getenv("GOLINE_TORCH")
	if python == "" {
		t.Skip("set GOLINE_TORCH to a Python with torch and numpy")
	}
	dir := t.TempDir()
	script, err := filepath.Abs(filepath.Join("testdata", "torch", "make.py"))
	require.NoError(t, err)
	out, err := exec.Command(python, script, dir, "1", "300").CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%d tensors of 300 files", asPyTorch(t, dir))
}
