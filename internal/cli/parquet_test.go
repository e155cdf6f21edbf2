package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/peertest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// TestParquetHoldsWhatTheOthersHold: Parquet files hold the numbers of npz, JSONL and JSON files, and have the same
// bytes each time.
func TestParquetHoldsWhatTheOthersHold(t *testing.T) {
	w := newWorld(t)
	w.writeParquet(t)
	want, err := npyz.ReadNpz(w.path("f.npz"))
	require.NoError(t, err)
	features, err := want.Float32("features", 13, -1)
	require.NoError(t, err)
	logits, err := want.Float32("logits", 13, worldClasses)
	require.NoError(t, err)
	rows, err := parquet.ReadFile[struct {
		ID       string    `parquet:"id"`
		Label    *int64    `parquet:"label,optional"`
		Features []float32 `parquet:"features,list"`
		Logits   []float32 `parquet:"logits,list"`
	}](w.path("f.parquet"))
	require.NoError(t, err)
	require.Len(t, rows, 13)
	for i, r := range rows {
		require.Equal(t, fmt.Sprint("test.npz#", i), r.ID)
		require.EqualValues(t, i%worldClasses, *r.Label)
		require.Equal(t, features[i*len(features)/13:][:len(features)/13], r.Features)
		require.Equal(t, logits[i*worldClasses:][:worldClasses], r.Logits)
	}
	before := contents(t, w.path("f.parquet"))
	w.writeParquet(t)
	require.Equal(t, before, contents(t, w.path("f.parquet")))
	code, _, stderr := runGoline("merge", w.path("part0.parquet"), w.path("part1.parquet"), "--out",
		w.path("m.parquet"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "Parquet files are not merged")
}

// writeParquet writes features, scores and values as Parquet and in another format, and features and scores of two
// shards.
func (w world) writeParquet(t testing.TB) {
	det := w.fit(t)
	must(t, "calibrate", "--detector", det, "--data", w.path("test.npz"), "--alpha", "0.2", "--out", w.path("cal.npz"))
	for _, ext := range []string{".npz", ".parquet"} {
		must(t, join([]string{"features", "--data", w.path("test.npz"), "--out", w.path("f" + ext)}, w.net())...)
	}
	for _, ext := range []string{".jsonl", ".parquet"} {
		must(t, "score", "--detector", w.path("cal.npz"), "--data", w.path("noise.npy"), "--out", w.path("s"+ext))
	}
	for i := range 2 {
		must(t, "score", "--detector", det, "--data", w.path("test.npz"), "--shard", fmt.Sprintf("%d/2", i), "--out",
			w.path(fmt.Sprintf("part%d.parquet", i)))
	}
	code, _, stderr := runGoline(join([]string{"attribute", "values", "--data", w.path("test.npz"), "--images", "2",
		"--estimators", "gradient,permutation", "--samples", "20",
		"--json", w.path("v.json"), "--parquet", w.path("v.parquet"), "--progress", "never"}, w.net())...)
	require.Equal(t, exitDone, code, stderr)
}

// TestParquetPeers: pyarrow and DuckDB read the types, the numbers and the provenance from goline's files.
func TestParquetPeers(t *testing.T) {
	python := peertest.Python(t, "pyarrow.parquet", "duckdb")
	w := newWorld(t)
	w.writeParquet(t)
	cmd := exec.CommandContext(t.Context(), python, "testdata/parquet_peers.py", w.path("f.parquet"),
		w.path("s.parquet"), w.path("v.parquet"), w.path("part*.parquet"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	type table struct {
		Types  map[string]string
		Meta   map[string]string
		Rows   []map[string]any
		Duckdb []map[string]any
	}
	var got struct {
		Features, Scores, Values table
		Parts                    []int
		Mean                     float64
	}
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	net, err := nets.Open(worldNet, w.path("net.npz"))
	require.NoError(t, err)
	for content, g := range map[string]table{
		"features": got.Features, "scores": got.Scores, "Shapley values": got.Values,
	} {
		require.Equal(t, g.Rows, g.Duckdb, "pyarrow and DuckDB")
		require.Equal(t, content, g.Meta["goline.content"])
		require.NotEmpty(t, g.Meta["goline.units"], content)
		require.Equal(t, worldNet, g.Meta["goline.network"], content)
		require.Equal(t, line.Fingerprint(net), g.Meta["goline.network_fingerprint"], content)
		require.Equal(t, net.Preprocessing().String(), g.Meta["goline.preprocessing"], content)
		require.Equal(t, command.ReadBuild().Release(), g.Meta["goline.version"], content)
		data := w.path("test.npz")
		if content == "scores" {
			data = w.path("noise.npy")
		}
		require.Equal(t, data, g.Meta["goline.data"], content)
	}
	require.Contains(t, got.Values.Meta["goline.setting"], `"seed"`)
	require.Len(t, got.Features.Rows, 13)
	require.Equal(t, "list<element: float not null>", got.Features.Types["features"])
	require.Len(t, got.Scores.Meta["goline.detector_sha256"], 64)
	require.Equal(t, []int{13, 13}, got.Parts)

	lines := strings.Split(strings.TrimSpace(contents(t, w.path("s.jsonl"))), "\n")
	require.Len(t, got.Scores.Rows, len(lines))
	for i, text := range lines {
		var want map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		for key, v := range want {
			require.Equal(t, v, got.Scores.Rows[i][key], key)
		}
	}
	var values struct {
		Estimates []struct {
			Estimate struct {
				Method string
				Values []float64
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(contents(t, w.path("v.json"))), &values))
	require.Len(t, got.Values.Rows, 4)
	for i, e := range values.Estimates {
		require.Equal(t, e.Estimate.Method, got.Values.Rows[i]["estimator"])
		for j, v := range got.Values.Rows[i]["values"].([]any) {
			require.Equal(t, e.Estimate.Values[j], v)
		}
	}
}
