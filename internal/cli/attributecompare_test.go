package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/racetest"
)

// comparisonFile is the schema of comparison.json, except for the settings, which are those of values --json.
type comparisonFile struct {
	Setting      map[string]any
	Seeds        []uint64
	Budgets      []float64
	Truth_budget float64
	Partial      bool
	Truth        []struct {
		Subject, Method                   string
		Mean_square, Mean_squared_std_err float64
	}
	Comparison struct {
		K                    int
		Level, Backward_cost float64
		Cells                []struct {
			Estimator                            string
			Budget, Forward_equivalents, Seconds *float64
			Runs, Skipped                        int
			Metrics                              map[string]struct{ Mean, Lo, Hi *float64 }
		}
		Runs []struct {
			Estimator, Subject, Stopped, Skipped                      string
			Seed                                                      uint64
			Samples, Evaluations                                      int
			Budget, Forwards, Backwards, Forward_equivalents, Seconds *float64
			Metrics                                                   map[string]*float64
		}
		Agreements []struct {
			Estimator, Subject                              string
			Seeds                                           int
			Budget, Spearman, Top_k_jaccard, Sign_agreement *float64
			Spread                                          *float64
		}
	}
}

func TestAttributeCompare(t *testing.T) {
	if testing.Short() {
		t.Skip("compares many estimators; TestAttributeCompareAnyWorkers runs the same code on several workers")
	}
	w := newAttributeWorld(t)
	for _, c := range []struct {
		flags []string
		truth string
	}{
		{[]string{"--value", "logit"}, "closed-form"},
		{[]string{"--value", "log-sum-exp", "--groups", "5"}, "exact"},
		{[]string{"--value", "probability", "--truth-budget", "3000"}, "antithetic"},
	} {
		dir := w.path(c.truth)
		out := w.must(t, append([]string{"compare", "--data", w.path("test.npz"), "--images", "3", "--seeds", "2",
			"--budgets", "20,300",
			"--out-dir", dir}, c.flags...)...)
		assert.Contains(t, out, "truth: "+c.truth)
		var f comparisonFile
		readJSON(t, filepath.Join(dir, "comparison.json"), &f)
		assert.False(t, f.Partial)
		require.Len(t, f.Truth, 3)
		for _, truth := range f.Truth {
			assert.Equal(t, c.truth, truth.Method)
			assert.Positive(t, truth.Mean_square)
			assert.Equal(t, c.truth == "antithetic", truth.Mean_squared_std_err > 0)
		}
		require.Len(t, f.Comparison.Cells, 19*2)
		for _, cell := range f.Comparison.Cells {
			require.Len(t, cell.Metrics, len(compare.Metrics()))
			if cell.Runs == 0 {
				continue
			}
			assert.LessOrEqual(t, *cell.Forward_equivalents, *cell.Budget*(1+1e-9))
			if c.truth == "closed-form" && cell.Estimator == "permutation" {
				assert.InDelta(t, 0, *cell.Metrics["mse"].Mean, 1e-15, "permutations are exact on an additive game")
			}
		}
		runs := readCSV(t, filepath.Join(dir, "runs.csv"))
		assert.Len(t, runs, len(f.Comparison.Runs))
		assert.Len(t, readCSV(t, filepath.Join(dir, "cells.csv")), len(f.Comparison.Cells))
		truth := readCSV(t, filepath.Join(dir, "truth.csv"))
		assert.Equal(t, c.truth, truth[0]["method"])
		for _, name := range []string{"error", "seconds", "overlap", "precision_at_k", "scatter-antithetic",
			"scatter-gradient-activation"} {
			if c.truth == "closed-form" && (name == "error" || name == "seconds") {
				continue // a figure of zeros only, which a logarithmic axis cannot show, may be missing
			}
			png, err := os.ReadFile(filepath.Join(dir, name+".png"))
			require.NoError(t, err)
			assert.True(t, bytes.HasPrefix(png, []byte("\x89PNG")), name)
			svg, err := os.ReadFile(filepath.Join(dir, name+".svg"))
			require.NoError(t, err)
			assert.Contains(t, string(svg), "</svg>", name)
		}
	}
}

// TestAttributeCompareAnyWorkers: everything but the times has the same bits for any number of workers.
func TestAttributeCompareAnyWorkers(t *testing.T) {
	w := newAttributeWorld(t)
	find := func(flags ...string) []map[string]string {
		w.must(t, append([]string{"compare", "--data", w.path("test.npz"), "--images", "2", "--seeds", "2", "--budgets",
			"400", "--value", "log-sum-exp",
			"--out-dir", w.path("out")}, flags...)...)
		runs := readCSV(t, w.path("out/runs.csv"))
		for _, run := range runs {
			delete(run, "seconds")
		}
		return append(runs, readCSV(t, w.path("out/truth.csv"))...)
	}
	three := find("--workers", "3")
	if racetest.On {
		return // three workers are enough for the race detector
	}
	one := find("--workers", "1")
	assert.Equal(t, one, three)
	of := func(runs []map[string]string) (of []map[string]string) {
		for _, run := range runs {
			if run["estimator"] == "antithetic" {
				delete(run, "seed")
				of = append(of, run)
			}
		}
		require.Len(t, of, 4, "two images, two seeds")
		return of
	}
	assert.NotEqual(t, of(one), of(find("--seed", "5", "--estimators", "antithetic")))
}

// TestAttributeTruthDrawsApart: a truth that shared its coalitions with an estimate would make that estimate look
// perfect.
func TestAttributeTruthDrawsApart(t *testing.T) {
	w := newAttributeWorld(t)
	w.must(t, "compare", "--data", w.path("test.npz"), "--images", "4", "--seeds", "3", "--budgets", "400",
		"--truth-budget", "400",
		"--value", "probability", "--estimators", "antithetic", "--out-dir", w.path("out"))
	for _, run := range readCSV(t, w.path("out/runs.csv")) {
		assert.Positive(t, number(t, run["mse"]), run)
	}
}

func TestAttributeCompareInterrupt(t *testing.T) {
	w := newAttributeWorld(t)
	code, stdout, stderr := w.interrupted(t, `runs .*\([1-9]`, "compare", "--data", w.path("test.npz"), "--images", "2",
		"--value", "log-sum-exp", "--budgets", "500,1e14",
		"--estimators", "gradient,permutation", "--truth-budget", "1000", "--out-dir", w.path("out"))
	require.Equal(t, exitInterrupted, code, stderr)
	assert.Contains(t, stdout, "partial")
	var f comparisonFile
	readJSON(t, w.path("out/comparison.partial.json"), &f)
	assert.True(t, f.Partial)
	assert.NotEmpty(t, f.Comparison.Runs)
	files, err := os.ReadDir(w.path("out"))
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, file.Name(), ".partial.", "files of an interrupted comparison must say so")
		assert.False(t, strings.HasSuffix(file.Name(), ".tmp"))
	}
}
