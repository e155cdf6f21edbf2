package eval_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// protocolData are sets in two groups with a covariate-shifted ID set.
func protocolData(seed uint64) eval.Data {
	d := data(seed)
	d.OOD[0].Group, d.OOD[1].Group = "near", "far"
	other := data(seed + 100)
	d.CSID = []eval.Set{{Name: "shifted", Samples: other.Fit.Samples}}
	return d
}

func methods(t testing.TB, names ...string) (out []posthoc.Method) {
	for _, name := range names {
		m, err := posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
		out = append(out, m)
	}
	return out
}

func TestRunOfTheProtocol(t *testing.T) {
	ctx, d := t.Context(), protocolData(1)
	r, err := eval.Run(ctx, d, methods(t, "line", "energy", "msp"), eval.RunOptions{})
	require.NoError(t, err)
	line := r.Methods[0]
	require.Equal(t, []report.Group{
		{Name: "near", Sets: 1, Average: average(line.OOD[0])}, {Name: "far", Sets: 1, Average: average(line.OOD[1])},
	}, line.Groups())

	// Full-spectrum rates count the covariate-shifted set as ID.
	joined := d
	joined.ID.Samples = join(d.ID.Samples, d.CSID[0].Samples)
	joined.CSID = nil
	whole, err := eval.Run(ctx, joined, methods(t, "line", "energy", "msp"), eval.RunOptions{Compare: eval.CompareNone})
	require.NoError(t, err)
	for i, m := range whole.Methods {
		require.Equal(t, m.OOD, r.Methods[i].FullSpectrum)
	}
	require.Equal(t, whole.ID, *r.FullSpectrum)
	require.Equal(t, "shifted", r.CSID[0].Name)
	require.Nil(t, whole.FullSpectrum)
	require.Empty(t, whole.Comparisons)

	// Misclassification rates separate right from wrong predictions on the ID set.
	right := make([]bool, d.ID.N)
	for i, p := range d.ID.Predictions() {
		right[i] = p == d.ID.Labels[i]
	}
	aurc, err := metrics.AURC(r.Scores[1].ID, right)
	require.NoError(t, err)
	auroc, err := metrics.MisclassificationAUROC(r.Scores[1].ID, right)
	require.NoError(t, err)
	require.Equal(t, &report.Misclassification{AURC: aurc, AUROC: auroc}, r.Methods[1].Misclassification)
	unknown := d
	unknown.ID.Labels = nil
	without, err := eval.Run(ctx, unknown, methods(t, "msp"), eval.RunOptions{})
	require.NoError(t, err)
	require.Nil(t, without.Methods[0].Misclassification)
	require.True(t, math.IsNaN(without.ID.Accuracy))

	// Comparisons are with LINe; a comparison's difference is the difference of the average AUROCs.
	require.Len(t, r.Comparisons, 2)
	for i, c := range r.Comparisons {
		require.Equal(t, [2]string{"line", r.Methods[i+1].Name}, [2]string{c.A, c.B})
		require.InDelta(t, line.Average().AUROC-r.Methods[i+1].Average().AUROC, c.Difference, 1e-12)
		require.GreaterOrEqual(t, c.Adjusted, c.P)
	}
	all, err := eval.Run(ctx, d, methods(t, "line", "energy", "msp"), eval.RunOptions{Compare: eval.CompareAll,
		Resamples: 30, Seed: 4})
	require.NoError(t, err)
	require.Len(t, all.Comparisons, 3)
	require.InDelta(t, r.Comparisons[1].Difference, all.Comparisons[1].Difference, 1e-12)
	require.NotEqual(t, r.Comparisons[1].P, all.Comparisons[1].P, "a bootstrap")
	require.NotNil(t, all.FullSpectrum.AccuracyCI)
	msp, err := eval.Run(ctx, d, methods(t, "energy", "msp"), eval.RunOptions{Compare: "msp"})
	require.NoError(t, err)
	require.Equal(t, "msp", msp.Comparisons[0].A)
	none, err := eval.Run(ctx, d, methods(t, "energy", "msp"), eval.RunOptions{})
	require.NoError(t, err)
	require.Empty(t, none.Comparisons)
	_, err = eval.Run(ctx, d, methods(t, "energy", "msp"), eval.RunOptions{Compare: "react"})
	require.ErrorContains(t, err, `comparison: expected one of the methods energy, msp, got "react"`)
}

func average(o report.OOD) report.Average {
	return report.Average{FPR95: o.Metrics.FPR95, AUROC: o.Metrics.AUROC, FPR95OpenOOD: o.Metrics.FPR95OpenOOD}
}

func join(a, b posthoc.Samples) posthoc.Samples {
	return posthoc.Samples{
		N: a.N + b.N, FeatureDim: a.FeatureDim, Classes: a.Classes, Features: slices.Concat(a.Features, b.Features),
		Logits: slices.Concat(a.Logits, b.Logits), Labels: slices.Concat(a.Labels, b.Labels),
	}
}

func TestCombine(t *testing.T) {
	ctx := t.Context()
	var results []*eval.Result
	for k := range 3 {
		d := protocolData(uint64(k))
		params := map[string]float64{"percentile": []float64{85, 90, 90}[k]}
		react, err := posthoc.New("react", posthoc.Options{Params: params})
		require.NoError(t, err)
		r, err := eval.Run(ctx, d, append(methods(t, "line", "energy"), react), eval.RunOptions{})
		require.NoError(t, err)
		results = append(results, r)
	}
	got, err := eval.Combine(ctx, results, eval.RunOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, got.Checkpoints)
	mean, sd := 0.0, 0.0
	of := func(r *eval.Result) float64 { return r.Methods[1].OOD[0].Metrics.AUROC }
	for _, r := range results {
		mean += of(r) / 3
	}
	for _, r := range results {
		sd += (of(r) - mean) * (of(r) - mean) / 2
	}
	energy := got.Methods[1]
	require.InDelta(t, mean, energy.OOD[0].Metrics.AUROC, 1e-15)
	require.InDelta(t, math.Sqrt(sd), energy.Spread[0].AUROC, 1e-15)
	require.Equal(t, energy.Spread, energy.GroupSpread, "groups of one set")
	require.Positive(t, energy.AverageSpread.AUROC)
	require.InDelta(t, (results[0].ID.Accuracy+results[1].ID.Accuracy+results[2].ID.Accuracy)/3, got.ID.Accuracy, 1e-15)
	require.Positive(t, got.ID.AccuracySpread)
	require.Equal(t, []any{85.0, 90.0, 90.0}, got.Methods[2].Params["percentile"])
	require.Equal(t, results[0].Methods[0].Params, got.Methods[0].Params)
	require.Len(t, got.Comparisons, 2)
	require.InDelta(t, got.Methods[0].Average().AUROC-energy.Average().AUROC, got.Comparisons[0].Difference, 1e-12)
	require.Equal(t, "near", energy.FullSpectrum[0].Group)

	one, err := eval.Combine(ctx, results[:1], eval.RunOptions{})
	require.NoError(t, err)
	require.Same(t, results[0], one)
	_, err = eval.Combine(ctx, nil, eval.RunOptions{})
	require.ErrorContains(t, err, "at least one checkpoint")
	_, err = eval.Combine(ctx, results, eval.RunOptions{Resamples: 9})
	require.ErrorContains(t, err, "expected 0 resamples, since intervals over them are not made, got 9")
	other, err := eval.Run(ctx, data(1), methods(t, "line", "energy", "react"), eval.RunOptions{})
	require.NoError(t, err)
	_, err = eval.Combine(ctx, []*eval.Result{results[0], other}, eval.RunOptions{})
	require.ErrorContains(t, err, "checkpoint 1: expected sets [{wide near 30 ")
	other, err = eval.Run(ctx, protocolData(1), methods(t, "line", "energy"), eval.RunOptions{})
	require.NoError(t, err)
	_, err = eval.Combine(ctx, []*eval.Result{results[0], other}, eval.RunOptions{})
	require.ErrorContains(t, err, `checkpoint 1: expected methods ["line" "energy" "react"], got ["line" "energy"]`)
}

// counted is a method that counts its calls and reports a size.
type counted struct {
	posthoc.Method
	fits, scores int
}

func (c *counted) Fit(ctx context.Context, head posthoc.Head, id posthoc.Samples) error {
	c.fits++
	return c.Method.Fit(ctx, head, id)
}

func (c *counted) Score(ctx context.Context, s posthoc.Samples, dst []float64) error {
	c.scores++
	return c.Method.Score(ctx, s, dst)
}

func (c *counted) Bytes() int64 { return 1234 }

// TestKeptScores: kept scores are used exactly where all that they depend on is the same.
func TestKeptScores(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	run := func(d eval.Data, name, program string, params map[string]float64) (report.Method, report.Scores, *counted) {
		m, err := posthoc.New(name, posthoc.Options{Params: params})
		require.NoError(t, err)
		c := &counted{Method: m}
		got, scores, err := eval.Measure(ctx, d, c, eval.RunOptions{Kept: &eval.KeptScores{Dir: dir, Program: program}})
		require.NoError(t, err)
		return got, scores, c
	}
	d := protocolData(1)
	want, scores, c := run(d, "react", "a", nil)
	require.Equal(t, [2]int{1, 4}, [2]int{c.fits, c.scores})
	require.Equal(t, int64(1234), want.Bytes)
	got, again, c := run(d, "react", "a", nil)
	require.Equal(t, [2]int{0, 0}, [2]int{c.fits, c.scores}, "all found")
	require.Equal(t, want, got, "times and memory are those of then")
	require.Equal(t, scores, again)

	anew := func(why string, wantScores int, c *counted) {
		require.Equal(t, [2]int{1, wantScores}, [2]int{c.fits, c.scores}, why)
	}
	_, _, c = run(d, "react", "b", nil)
	anew("another program", 4, c)
	_, _, c = run(d, "react", "a", map[string]float64{"percentile": 80})
	anew("another parameter", 4, c)
	_, _, c = run(d, "dice", "a", nil)
	anew("another method", 4, c)
	change := func(change func(d *eval.Data)) eval.Data {
		d := protocolData(1)
		change(&d)
		return d
	}
	_, _, c = run(change(func(d *eval.Data) { d.Fit.Features[0]++ }), "react", "a", nil)
	anew("another fitted feature", 4, c)
	_, _, c = run(change(func(d *eval.Data) { d.Fit.Labels[0] = 2 }), "react", "a", nil)
	anew("another fitted label", 4, c)
	_, _, c = run(change(func(d *eval.Data) { d.Head.Bias[1]++ }), "react", "a", nil)
	anew("another head", 4, c)
	_, _, c = run(change(func(d *eval.Data) { d.OOD[1].Logits[3]++ }), "react", "a", nil)
	anew("one logit of one set", 1, c)
	_, _, c = run(change(func(d *eval.Data) {
		d.OOD = append(d.OOD, eval.Set{Name: "more", Samples: data(9).ID.Samples})
	}), "react", "a", nil)
	anew("one set more", 1, c)

	files, err := filepath.Glob(filepath.Join(dir, "*.npz"))
	require.NoError(t, err)
	for _, f := range files { // change a score
		a, err := npyz.ReadNpz(f)
		require.NoError(t, err)
		var arrays []npyz.Named
		for name, array := range a.All() {
			if values, ok := array.Data.([]float64); ok && name == "scores" {
				values[0]++
			}
			arrays = append(arrays, npyz.Named{Name: name, Array: array})
		}
		require.NoError(t, npyz.WriteNpz(f, npyz.Stored, arrays...))
	}
	_, _, err = eval.Measure(ctx, d, methods(t, "react")[0],
		eval.RunOptions{Kept: &eval.KeptScores{Dir: dir, Program: "a"}})
	require.ErrorContains(t, err, "the scores are not those that were kept (delete the file")
	for _, f := range files {
		require.NoError(t, os.WriteFile(f, []byte("PK damaged"), 0o666))
	}
	m := methods(t, "react")[0]
	_, _, err = eval.Measure(ctx, d, m, eval.RunOptions{Kept: &eval.KeptScores{Dir: dir, Program: "a"}})
	require.ErrorContains(t, err, "delete the file")
}
