package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
)

// shards runs a command for each of n shards and merges the results, given in another order than that of the shards.
func shards(t testing.TB, n int, ext string, args ...string) (merged string) {
	t.Helper()
	dir := t.TempDir()
	merge := []string{"merge"}
	for i := range n {
		part := filepath.Join(dir, fmt.Sprint("part", i, ext))
		must(t, join(args, []string{"--shard", fmt.Sprintf("%d/%d", i, n), "--out", part})...)
		merge = slices.Insert(merge, 1+i/2, part)
	}
	merged = filepath.Join(dir, "merged"+ext)
	require.Regexp(t, fmt.Sprintf(`of [1-9]\d* images from %d shards`, n), must(t, append(merge, "--out", merged)...))
	return merged
}

// TestShardsMergeToTheBitsOfOneRun: merged features, detectors and scores of any number of shards have the bytes of a
// single run's.
func TestShardsMergeToTheBitsOfOneRun(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	must(t, "calibrate", "--detector", det, "--data", w.path("test.npz"), "--alpha", "0.2", "--out", w.path("cal.npz"))
	fit := join([]string{"fit", "--data", w.path("train.npz")}, w.net())
	for _, c := range []struct {
		ext  string
		args []string
	}{
		{".npz", join([]string{"features", "--data", w.path("test.npz")}, w.net())},
		{".npz", join([]string{"features", "--data", w.path("noise.npy")}, w.net())},
		{".npz", fit},
		{".npz", join(fit, []string{"--clip-percentile", "80", "--p-a", "0"})},
		{".npz", join(fit, []string{"--clip-percentile", "80", "--clip-per-class", "--without", "ap"})},
		{".csv", []string{"score", "--detector", det, "--data", w.path("test.npz")}},
		{".csv", []string{"score", "--detector", det, "--data", w.path("pictures")}}, // names have quotes and commas
		{".csv", []string{"score", "--detector", w.path("cal.npz"), "--data", w.path("dark.npz")}},
		{".jsonl", []string{"score", "--detector", det, "--data", w.path("test.npz")}},
		{".npz", []string{"score", "--detector", w.path("cal.npz"), "--data", w.path("noise.npy")}},
	} {
		whole := filepath.Join(t.TempDir(), "whole"+c.ext)
		must(t, join(c.args, []string{"--out", whole})...)
		want := contents(t, whole)
		for _, n := range []int{1, 3} {
			require.True(t, want == contents(t, shards(t, n, c.ext, c.args...)), "%q in %d shards", c.args, n)
		}
	}
	whole := w.fit(t)
	require.Equal(t, contents(t, whole), contents(t, shards(t, 21, ".npz", fit...)), "one image a shard")
}

// TestMergeRefuses: parts that do not make a whole are refused with an error that says why.
func TestMergeRefuses(t *testing.T) {
	w := newWorld(t)
	det := w.fit(t)
	part := func(name string, args ...string) string {
		must(t, append(args, "--out", w.path(name))...)
		return w.path(name)
	}
	fit := join([]string{"fit", "--data", w.path("train.npz")}, w.net())
	a, b := part("a.npz", append(fit, "--shard", "0/2")...), part("b.npz", append(fit, "--shard", "1/2")...)
	other := part("other.npz", append(fit, "--shard", "1/2", "--p-a", "50")...)
	features := part("f.npz", join([]string{"features", "--data", w.path("test.npz"), "--shard", "1/2"}, w.net())...)
	csv := part("0.csv", "score", "--detector", det, "--data", w.path("test.npz"), "--shard", "0/2")
	csv1 := part("1.csv", "score", "--detector", det, "--data", w.path("test.npz"), "--shard", "1/2")
	strict := part("2.csv", "score", "--detector", det, "--data", w.path("test.npz"), "--shard", "1/2", "--tpr", "50")
	plain := part("plain.csv", "score", "--detector", det, "--data", w.path("test.npz"))
	cut := w.path("cut.csv")
	require.NoError(t, os.WriteFile(cut, []byte(strings.TrimSuffix(contents(t, csv1), "\n")), 0o666))
	short := w.path("short.csv")
	text := strings.SplitAfter(contents(t, csv1), "\n")
	require.NoError(t, os.WriteFile(short, []byte(strings.Join(text[:4], "")), 0o666))
	out, outCSV := w.path("out.npz"), w.path("out.csv")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{a, "--out", out}, "shard 1/2 is missing"},
		{[]string{b, "--out", out}, "shard 0/2 is missing"},
		{[]string{a, b, b, "--out", out}, "are the same shard, 1/2"},
		{[]string{a, other, "--out", out}, "other.npz was made by " + worldNet},
		{[]string{a, features, "--out", out}, "expected a file that goline fit --shard wrote"},
		{[]string{features, a, "--out", out}, "expected a file that was written with --shard"},
		{[]string{det, "--out", out}, "det.npz"},
		{[]string{w.path("test.npz"), "--out", out},
			"expected a file that goline features, fit or score wrote with --shard"},
		{[]string{csv, strict, "--out", outCSV}, "2.csv was made by"},
		{[]string{csv, plain, "--out", outCSV}, "plain.csv: expected scores that were written with --shard"},
		{[]string{csv, cut, "--out", outCSV}, "a part of one more"},
		{[]string{csv, short, "--out", outCSV}, "short.csv: expected 7 rows, got 2"},
	} {
		require.Contains(t, fails(t, append([]string{"merge"}, c.args...)...), c.want)
		require.NoFileExists(t, c.args[len(c.args)-1])
	}
	must(t, "merge", csv, csv1, "--out", outCSV)
	require.Equal(t, contents(t, plain), contents(t, outCSV))
	require.Contains(t, fails(t, "calibrate", "--detector", a, "--data", w.path("test.npz"), "--out", out), "a.npz")

	score := []string{"score", "--detector", det, "--data", w.path("test.npz"), "--out", outCSV}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(score, "--shard", "2/2"), "expected I/N"},
		{append(score, "--shard", "0/2", "--fdr", "bh"), "--fdr and --stream look at all images"},
		{append(fit, "--shard", "0/2", "--method", "msp", "--out", out), "--shard: expected --method line, got msp"},
		{[]string{"merge", "--out", out}, "expected the files of shards"},
		{[]string{"merge", a}, "--out is required"},
		{[]string{"merge", a, "--out", outCSV}, "expected the ending of the parts"},
	} {
		code, _, stderr := runGoline(c.args...)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, c.want)
	}
	require.Contains(t, fails(t, append(score, "--shard", "20/40")...), "expected at most 13 shards")
}

// TestStatisticsRefuseDamage: a file of statistics whose arrays do not fit together is refused.
func TestStatisticsRefuseDamage(t *testing.T) {
	w := newWorld(t)
	must(t, join([]string{"fit", "--data", w.path("train.npz"), "--shard", "0/1", "--out", w.path("a.npz")},
		w.net())...)
	good, err := npyz.ReadNpz(w.path("a.npz"))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		array npyz.Array
		want  string
	}{
		"counts": {npyz.New([]int64{7, 7, 8}), "counts: expected a sum of at most the part's 21 images, got 22"},
		"sample_slots": {npyz.New(make([]int64, 21)),
			"sample_slots: expected different numbers below 65536, got 0 at index 1"},
		"extent":  {npyz.Scalar("{"), "extent"},
		"version": {npyz.Scalar(int64(9)), "expected format version 1, which this program reads, got 9"},
		"dim":     {npyz.Scalar(int64(5)), "contribution_sums"},
	} {
		var arrays []npyz.Named
		for n, a := range good.All() {
			if n == name {
				a = c.array
			}
			arrays = append(arrays, npyz.Named{Name: n, Array: a})
		}
		require.NoError(t, npyz.WriteNpz(w.path("bad.npz"), npyz.Stored, arrays...))
		require.Contains(t, fails(t, "merge", w.path("bad.npz"), "--out", w.path("d.npz")), c.want)
	}
}

// TestRealShards: 5,000 real images in three shards give the bytes of a single run's detector and scores.
func TestRealShards(t *testing.T) {
	if testing.Short() {
		t.Skip("a network over 10,000 images")
	}
	checkpoint, train := sharedtest.Path(t, "checkpoints", "cifar10_resnet20.th"),
		sharedtest.Path(t, "data", "cifar10_train_5000.bin")
	dir := t.TempDir()
	fit := []string{"fit", "--net", "resnet20", "--weights", checkpoint, "--data", train, "--progress", "never"}
	must(t, append(fit, "--out", filepath.Join(dir, "det.npz"))...)
	require.True(t, contents(t, filepath.Join(dir, "det.npz")) == contents(t, shards(t, 3, ".npz", fit...)),
		"detectors differ")
	score := []string{"score", "--detector", filepath.Join(dir, "det.npz"), "--data",
		sharedtest.Path(t, "data", "cifar10_test_5000.bin")}
	must(t, append(score, "--out", filepath.Join(dir, "s.csv"))...)
	require.True(t, contents(t, filepath.Join(dir, "s.csv")) == contents(t, shards(t, 3, ".csv", score...)),
		"scores differ")
}
