package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// badWords lists, for flags whose values are words, values that the flags refuse.
var badWords = map[string][]string{
	"adjust": {"", "foo"}, "benchmark": {"foo"}, "device": {"", "tpu", "cuda:", "cuda:-1"}, "precision": {"", "f16"},
	"estimators": {"foo"}, "fdr": {"foo"}, "fill": {"foo"},
	"method": {"", "foo"}, "methods": {"", "foo"}, "optimizer": {"foo"}, "param": {"", "foo", "react.percentile"},
	"preprocess": {"foo"},
	"progress":   {"", "maybe"}, "schedule": {"foo"}, "without": {"foo"}, "net": {"foo"}, "ood": {"", "foo", "a="},
	"near": {"", "foo"},
	"far":  {"", "foo"}, "csid": {"", "foo"}, "id-val": {}, "fpr": {"foo"},
	"removal": {"foo"}, "scope": {"foo"}, "target": {"foo"}, "value": {"foo"}, "values": {"foo"}, "betting": {"foo"},
	"log-format": {"foo", ""}, "log-level": {"foo", ""}, "listen": {"foo", ""}, "tune": {"foo"},
	"shard":   {"foo", "1", "3/3", "-1/2", "0/0"},
	"budgets": {"x", "0", "-1"}, "image": {"x", "-1"},
	"index": {"foo", ""}, "player": {"x", "-1"},
}

// freeWords lists the flags whose values cannot be checked without reading files: paths, names in files, and lists of
// them.
var freeWords = []string{
	"data", "out", "weights", "class-names", "features", "logits", "contributions", "detector", "fit", "id", "json",
	"csv", "report",
	"features-dir", "markdown", "latex", "also-weights", "openood", "compare", "ood-val", "checkpoint", "curves", "val",
	"outputs", "id-val", "name", "token-file", "tls-cert", "tls-key", "layer", "from", "fetch", "out-dir", "parquet",
	"import", "figure",
}

// commandBases returns, for each command that runs, a command line that is correct except that its files are missing.
func commandBases() map[string][]string {
	net := []string{"--net", "densenet-bc-10-4", "--weights", "no-weights.npz"}
	detector := []string{"--detector", "no-detector.npz"}
	return map[string][]string{
		"features":               join(net, []string{"--data", "no-data", "--out", "o.npz"}),
		"fit":                    join(net, []string{"--data", "no-data", "--out", "o.npz"}),
		"calibrate":              join(detector, []string{"--data", "no-data", "--out", "o.npz"}),
		"export":                 join(detector, []string{"--out", "o.onnx"}),
		"score":                  join(detector, []string{"--data", "no-data", "--out", "o.csv"}),
		"serve":                  join(detector, []string{"--listen", "127.0.0.1:0"}),
		"eval":                   join(net, []string{"--fit", "no-fit", "--id", "no-id", "--ood", "a=no-ood"}),
		"train":                  {"--net", "densenet-bc-10-4", "--data", "no-data", "--out", "o.npz", "--epochs", "3"},
		"bench":                  {"--net", "densenet-bc-10-4", "--weights", "no-weights.npz"},
		"inspect":                {"--net", "densenet-bc-10-4", "--weights", "no-weights.npz"},
		"graph":                  {"--net", "densenet-bc-10-4", "--weights", "no-weights.npz", "--out", "o.dot"},
		"attribute values":       join(net, []string{"--data", "no-data", "--csv", "o.csv"}),
		"attribute compare":      join(net, []string{"--data", "no-data", "--out-dir", "o"}),
		"attribute interactions": join(net, []string{"--data", "no-data", "--csv", "o.csv"}),
		"attribute curves":       join(net, []string{"--data", "no-data", "--out-dir", "o"}),
		"attribute downstream":   join(net, []string{"--fit", "no-fit", "--id", "no-id", "--ood", "a=no-ood"}),
	}
}

// TestEveryFlagOfEveryCommand: values that are not numbers or are out of range, and unknown words, are a usage error
// with exit status 2, reported before any file is read. The test fails for a flag or a command that its tables do not
// know.
func TestEveryFlagOfEveryCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	bases := commandBases()
	tried := 0
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			visit(sub, append(slices.Clone(path), sub.Name()))
		}
		name := strings.Join(path, " ")
		if len(path) == 0 || cmd.Name() == "help" || cmd.Name() == "completion" ||
			strings.HasPrefix(name, "completion") {
			return
		}
		base, known := bases[name]
		if known {
			code, _, stderr := runGoline(join(path, base)...)
			require.Equal(t, exitFailed, code, "%q: nothing but files are wrong: %s", name, stderr)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			values, ok := badValues(f)
			assert.True(t, ok, "%s --%s of %s: name its bad values, or say that it has none", name, f.Name,
				f.Value.Type())
			if !known { // a command that needs no flags is not run; only the parsing of its flags is tested
				return
			}
			for _, v := range values {
				tried++
				args := join(path, base, []string{"--" + f.Name + "=" + v})
				code, stdout, stderr := runGoline(args...)
				assert.Equal(t, exitUsage, code, "%q: %s", args, stderr)
				assert.Empty(t, stdout, "%q", args)
			}
		})
	}
	visit(newRoot(), nil)
	require.Greater(t, tried, 300)
	left := slices.DeleteFunc(entries(t, "."), func(name string) bool { return name == "o" }) // the folder of --out-dir
	require.Empty(t, left, "nothing was written")
}

// badValues returns values that a flag must refuse, by its type or its name. ok is false for a flag of words that the
// tables do not know.
func badValues(f *pflag.Flag) (values []string, ok bool) {
	switch f.Value.Type() {
	case "bool":
		return []string{"maybe"}, true
	case "bytes":
		values = []string{"x", "-1", "1", "NaN", "1.5GiB"}
	case "duration":
		values = []string{"x", "-1s", "1", "NaNs"}
	case "int", "int64":
		values = []string{"x", "1.5", "-1", "999999999999999999999"}
	case "uint64":
		values = []string{"x", "-1", "1.5"}
	case "float64":
		values = []string{"x", "NaN", "-Inf", "+Inf"}
		if f.Name != "threshold" { // accepts any number
			values = append(values, "-1")
		}
	default:
		values, ok = badWords[f.Name]
		return values, ok || slices.Contains(freeWords, f.Name)
	}
	return values, true
}
