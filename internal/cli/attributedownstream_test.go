package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// downstreamFile is the schema of downstream --json.
type downstreamFile struct {
	Net, Weights_sha256, Fit, ID, Removal string
	Fit_images                            int
	Params                                map[string]any
	Seed                                  uint64
	Partial                               bool
	Reference                             map[string]downstreamRates
	Runs                                  []struct {
		Value, Estimator, Skipped                                 string
		Budget, Forwards, Backwards, Forward_equivalents, Seconds float64
		Seed                                                      uint64
		Deterministic                                             bool
		Samples                                                   int
		Neuron_overlap, Weight_overlap                            *float64
		OOD                                                       map[string]downstreamRates
	}
}

type downstreamRates struct{ FPR95, AUROC, Delta_fpr95, Delta_auroc float64 }

func (w attributeWorld) downstream(flags ...string) []string {
	return append([]string{"downstream", "--fit", w.path("train.npz"), "--id", w.path("test.npz"), "--ood",
		"dark=" + w.path("dark.npz"),
		"--ood", "bright=" + w.path("bright.npz"), "--features-dir", w.path("cache"), "--p-a", "60", "--p-w", "60",
		"--json", w.path("d.json"), "--csv", w.path("d.csv")}, flags...)
}

func TestAttributeDownstream(t *testing.T) {
	w := newAttributeWorld(t)
	out := w.must(t, w.downstream("--estimators", "gradient,closed-form,permutation", "--values", "logit,log-sum-exp",
		"--budgets", "30,200", "--seeds", "2")...)
	assert.Contains(t, out, "skipped")
	var f downstreamFile
	readJSON(t, w.path("d.json"), &f)
	assert.False(t, f.Partial)
	assert.Equal(t, 18, f.Fit_images)
	require.Len(t, f.Runs, 2*2*(1+1+2)) // deterministic and skipped ones run once a budget, permutations twice
	for set, rate := range f.Reference {
		assert.Greater(t, rate.AUROC, 0.0, "%s: the sets of this test should overlap", set)
		assert.Less(t, rate.AUROC, 100.0, set)
	}
	rows := readCSV(t, w.path("d.csv"))
	at := 0
	for _, run := range f.Runs {
		if run.Skipped != "" {
			assert.Equal(t, "log-sum-exp closed-form", run.Value+" "+run.Estimator)
			assert.Equal(t, run.Skipped, rows[at]["skipped"])
			at++
			continue
		}
		require.Len(t, run.OOD, 3)
		for _, set := range []string{"dark", "bright", "average"} {
			d, ref := run.OOD[set], f.Reference[set]
			assert.InDelta(t, d.FPR95-ref.FPR95, d.Delta_fpr95, 1e-9)
			assert.InDelta(t, d.AUROC-ref.AUROC, d.Delta_auroc, 1e-9)
			assert.Equal(t, set, rows[at]["set"])
			assert.InDelta(t, d.AUROC, number(t, rows[at]["auroc"]), 1e-9)
			assert.Equal(t, run.Estimator, rows[at]["estimator"])
			assert.Equal(t, "false", rows[at]["partial"])
			at++
		}
		if run.Value == "logit" && run.Deterministic {
			assert.InDelta(t, 1, *run.Neuron_overlap, 1e-9, run.Estimator)
			assert.InDelta(t, 0, run.OOD["average"].Delta_auroc, 1, run.Estimator)
		}
	}
	assert.Len(t, rows, at)

	before := f
	w.must(t, w.downstream("--estimators", "gradient,closed-form,permutation", "--values", "logit,log-sum-exp",
		"--budgets", "30,200", "--seeds", "2", "--workers", "3", "--batch", "3")...)
	readJSON(t, w.path("d.json"), &f)
	for _, file := range []downstreamFile{before, f} {
		for i := range file.Runs {
			file.Runs[i].Seconds = 0
		}
	}
	assert.Equal(t, before, f, "results depend on workers, batch size or the cache")
}

func TestAttributeDownstreamRemovals(t *testing.T) {
	w := newAttributeWorld(t)
	seen := map[float64]bool{}
	for _, removal := range []string{"zero", "mean", "resample"} {
		w.must(t, w.downstream("--estimators", "closed-form", "--values", "logit", "--budgets", "4", "--removal",
			removal, "--background", "2")...)
		var f downstreamFile
		readJSON(t, w.path("d.json"), &f)
		assert.Equal(t, removal, f.Removal)
		require.Len(t, f.Runs, 1)
		require.Empty(t, f.Runs[0].Skipped)
		seen[*f.Runs[0].Weight_overlap] = true
	}
	assert.Greater(t, len(seen), 1, "removals give different masks")
}

func TestAttributeDownstreamInterrupt(t *testing.T) {
	w := newAttributeWorld(t)
	code, stdout, stderr := w.interrupted(t, `detectors .*\([1-9]`, w.downstream("--estimators", "gradient,permutation",
		"--values", "logit", "--budgets", "4,1e12")...)
	require.Equal(t, exitInterrupted, code, stderr)
	assert.Contains(t, stdout, "partial")
	var f downstreamFile
	readJSON(t, w.path("d.json"), &f)
	assert.True(t, f.Partial)
	require.NotEmpty(t, f.Runs)
	for _, row := range readCSV(t, w.path("d.csv")) {
		assert.Equal(t, "true", row["partial"])
	}
}
