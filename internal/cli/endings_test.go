package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEndingsOfOtherFormats: a file that would have the ending of another format is refused before anything is read.
func TestEndingsOfOtherFormats(t *testing.T) {
	net := []string{"--net", "densenet-bc-10-4", "--weights", "w", "--data", "d"}
	for want, args := range map[string][]string{
		`--out f.csv: expected the ending .npz or .parquet, got ".csv"`: join([]string{"features", "--out",
			"f.csv"}, net),
		`--out d.json: expected the ending .npz, got ".json"`: join([]string{"fit", "--out", "d.json"}, net),
		`--out c.CSV: expected the ending .npz, got ".CSV"`: {"calibrate", "--detector", "d", "--data", "x",
			"--out", "c.CSV"},
		`--out d.npz: expected the ending .onnx, got ".npz"`: {"export", "--detector", "d", "--out", "d.npz"},
		`--csv a.json: expected the ending .csv, got ".json"`: {"eval", "--net", "n", "--weights", "w", "--fit", "f",
			"--id", "i", "--ood", "a=x", "--csv", "a.json"},
		`--report r.md: expected the ending .html or .htm, got ".md"`: {"demo", "--html", "r.md"},
		`--json v.csv: expected the ending .json, got ".csv"`: join([]string{"attribute", "values", "--json", "v.csv"},
			net),
	} {
		code, _, stderr := runGoline(args...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, stderr, want)
	}
	for _, own := range []string{"o", "o.bin", "o.v2", "/dev/null"} { // these get as far as the missing files
		code, _, stderr := runGoline(join([]string{"fit", "--out", own}, net)...)
		require.Equal(t, exitFailed, code)
		require.NotContains(t, stderr, "ending")
	}
}
