package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/bench"
)

// TestBenchCompares runs a small network twice and checks the report of the change.
func TestBenchCompares(t *testing.T) {
	file := filepath.Join(t.TempDir(), "before.json")
	args := []string{"bench", "--net", "densenet-bc-10-4", "--images", "4", "--runs", "2"}
	code, out, stderr := runGoline(append(args, "--json", file)...)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "densenet-bc-10-4 in f32")
	var r bench.Result
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	require.Equal(t, "f32", r.Precision)
	require.Len(t, r.Runs, 2)

	code, out, stderr = runGoline(append(args, "--precision", "bf16", "--compare", file)...)
	require.Zero(t, code, stderr)
	require.Contains(t, out, "densenet-bc-10-4 in bf16")
	require.Regexp(t, `precision +│ f32 +│ bf16`, out)

	one := filepath.Join(t.TempDir(), "one.json")
	code, out, stderr = runGoline(append(args, "--latency", "--workers", "2", "--json", one)...)
	require.Zero(t, code, stderr)
	require.Regexp(t, `one image at a time, shared by 2 threads\n(.*\n)*latency +p50 [0-9.]+ ms.*, of 8 images`, out)
	data, err = os.ReadFile(one)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &r))
	require.Equal(t, 2, r.Threads)
	require.Equal(t, 1, r.Workers)
	require.Equal(t, 8, r.Latency.Images)
	require.Positive(t, r.Latency.P50)
	require.LessOrEqual(t, r.Latency.P50, r.Latency.P99)
	require.LessOrEqual(t, r.Latency.P99, r.Latency.Max)
	for _, wrong := range [][]string{{"--batch", "2"}, {"--images", "1000000000"}} {
		code, _, stderr = runGoline(append(append(args, "--latency"), wrong...)...)
		require.Equal(t, 2, code)
		require.Contains(t, stderr, "--latency")
	}

	code, _, stderr = runGoline("bench", "--net", "densenet-bc-16-4", "--images", "1", "--runs", "1", "--compare", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "result to compare with: expected network densenet-bc-16-4, got densenet-bc-10-4")

	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	code, _, stderr = runGoline(append(args, "--compare", file)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "expected JSON of goline bench --json")

	code, _, stderr = runGoline(append(args, "--precision", "half")...)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, `--precision "half": expected f32, bf16 or tf32`)
	code, _, stderr = runGoline(append(args, "--precision", "tf32")...)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--precision tf32 needs a card: expected --device cuda or cuda:N with it")
}
