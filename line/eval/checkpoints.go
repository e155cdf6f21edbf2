package eval

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

// Combine returns the joint result of several checkpoints of one network, each evaluated with the same methods on the
// same sets by [Run]: means of all rates over the checkpoints, with sample standard deviations (divided by n - 1).
// Comparisons, as o asks for them, are of the mean AUROC over checkpoints. o.Resamples must be 0, because there are
// no intervals of means. Times are means, and memory sizes are the largest. A parameter that differs becomes a list.
// Scores and tuning are those of the first checkpoint.
//
// A single result is returned unchanged. It returns an error for no result, and for results that differ in methods or
// sets.
func Combine(ctx context.Context, results []*Result, o RunOptions) (*Result, error) {
	switch {
	case len(results) == 0:
		return nil, fmt.Errorf("eval: expected at least one checkpoint to combine, got none")
	case len(results) == 1:
		return results[0], nil
	case o.Resamples > 0:
		return nil, fmt.Errorf("eval: several checkpoints: expected 0 resamples, since intervals over them are not "+
			"made, got %d", o.Resamples)
	}
	first := results[0]
	for k, r := range results[1:] {
		if err := first.alike(r); err != nil {
			return nil, fmt.Errorf("eval: checkpoint %d: %w", k+1, err)
		}
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	r := &Result{Seed: first.Seed, Checkpoints: len(results), Scores: first.Scores, ID: first.ID}
	of := func(get func(r *Result) float64) (mean, sd float64) {
		values := make([]float64, len(results))
		for k, one := range results {
			values[k] = get(one)
		}
		return meanSD(values)
	}
	r.ID.AccuracyCI = nil
	r.ID.Accuracy, r.ID.AccuracySpread = of(func(r *Result) float64 { return r.ID.Accuracy })
	if first.FullSpectrum != nil {
		full := report.ID{N: first.FullSpectrum.N}
		full.Accuracy, full.AccuracySpread = of(func(r *Result) float64 { return r.FullSpectrum.Accuracy })
		r.FullSpectrum, r.CSID = &full, slices.Clone(first.CSID)
		for i := range r.CSID {
			r.CSID[i].Accuracy, _ = of(func(r *Result) float64 { return r.CSID[i].Accuracy })
		}
	}
	var names []string
	var scores [][]report.Scores
	for _, one := range results {
		scores = append(scores, one.Scores)
	}
	for m := range first.Methods {
		var methods []report.Method
		for _, one := range results {
			methods = append(methods, one.Methods[m])
		}
		r.Methods, names = append(r.Methods, combineMethods(methods)), append(names, first.Methods[m].Name)
	}
	if err := r.Report("", report.Weights{}).Validate(); err != nil {
		return nil, err
	}
	pairs, err := o.pairs(names)
	if err != nil {
		return nil, err
	}
	r.Comparisons, err = compareMethods(ctx, names, scores, pairs, o)
	return r, err
}

// alike returns an error where another result has other methods or sets.
func (r *Result) alike(other *Result) error {
	names := func(r *Result) (names []string) {
		for _, m := range r.Methods {
			names = append(names, m.Name)
		}
		return names
	}
	if !slices.Equal(names(r), names(other)) {
		return fmt.Errorf("expected methods %q, got %q", names(r), names(other))
	}
	sets := func(r *Result) (sets []report.OOD) {
		for _, o := range r.Methods[0].OOD {
			sets = append(sets, report.OOD{Name: o.Name, Group: o.Group, N: o.N})
		}
		for _, s := range r.CSID {
			sets = append(sets, report.OOD{Name: s.Name, Group: "CSID", N: s.N})
		}
		return append(sets, report.OOD{Name: "ID", N: r.ID.N})
	}
	if !slices.Equal(sets(r), sets(other)) {
		return fmt.Errorf("expected sets %v, got %v", sets(r), sets(other))
	}
	return nil
}

// combineMethods returns the means of one method's results over checkpoints.
func combineMethods(of []report.Method) report.Method {
	first := of[0]
	m := report.Method{Name: first.Name, Params: map[string]any{}, Tuning: first.Tuning}
	for name := range first.Params {
		values := make([]any, len(of))
		for k, one := range of {
			values[k] = one.Params[name]
		}
		m.Params[name] = values
		if !slices.ContainsFunc(values, func(v any) bool { return !reflect.DeepEqual(v, values[0]) }) {
			m.Params[name] = values[0]
		}
	}
	mean := func(get func(m report.Method) float64) float64 {
		values := make([]float64, len(of))
		for k, one := range of {
			values[k] = get(one)
		}
		mean, _ := meanSD(values)
		return mean
	}
	m.FitSeconds = mean(func(m report.Method) float64 { return m.FitSeconds })
	m.MicrosPerSample = mean(func(m report.Method) float64 { return m.MicrosPerSample })
	for _, one := range of {
		m.Bytes = max(m.Bytes, one.Bytes)
	}
	if first.Misclassification != nil {
		m.Misclassification = &report.Misclassification{
			AURC:  mean(func(m report.Method) float64 { return m.Misclassification.AURC }),
			AUROC: mean(func(m report.Method) float64 { return m.Misclassification.AUROC }),
		}
	}
	m.OOD, m.Spread = combineSets(of, func(m report.Method) []report.OOD { return m.OOD })
	m.FullSpectrum, _ = combineSets(of, func(m report.Method) []report.OOD { return m.FullSpectrum })
	m.AverageSpread = spread(of, report.Method.Average)
	for g := range first.Groups() {
		m.GroupSpread = append(m.GroupSpread,
			spread(of, func(m report.Method) report.Average { return m.Groups()[g].Average }))
	}
	return m
}

// combineSets returns the means of every rate over checkpoints, and the standard deviations of those rates that
// averages have.
func combineSets(of []report.Method, sets func(report.Method) []report.OOD) (means []report.OOD, sds []report.Average) {
	for i, o := range sets(of[0]) {
		mean := func(get func(metrics.Metrics) float64) float64 {
			values := make([]float64, len(of))
			for k, m := range of {
				values[k] = get(sets(m)[i].Metrics)
			}
			mean, _ := meanSD(values)
			return mean
		}
		means = append(means, report.OOD{Name: o.Name, Group: o.Group, N: o.N, Metrics: metrics.Metrics{
			FPR95:        mean(func(m metrics.Metrics) float64 { return m.FPR95 }),
			FPR95OpenOOD: mean(func(m metrics.Metrics) float64 { return m.FPR95OpenOOD }),
			AUROC:        mean(func(m metrics.Metrics) float64 { return m.AUROC }),
			AUPRIn:       mean(func(m metrics.Metrics) float64 { return m.AUPRIn }),
			AUPROut:      mean(func(m metrics.Metrics) float64 { return m.AUPROut }),
			DTERR:        mean(func(m metrics.Metrics) float64 { return m.DTERR }),
		}, TieAware: meanTieAware(of, func(m report.Method) report.OOD { return sets(m)[i] })})
		sds = append(sds, spread(of, func(m report.Method) report.Average {
			rates := sets(m)[i].Metrics
			return report.Average{FPR95: rates.FPR95, AUROC: rates.AUROC, FPR95OpenOOD: rates.FPR95OpenOOD}
		}))
	}
	return means, sds
}

// meanTieAware is the mean of the tie-aware rates over checkpoints, nil where no checkpoint has ties at its
// threshold.
func meanTieAware(of []report.Method, set func(report.Method) report.OOD) *float64 {
	tied, values := false, make([]float64, len(of))
	for k, m := range of {
		o := set(m)
		values[k] = o.Metrics.FPR95
		if o.TieAware != nil {
			values[k], tied = *o.TieAware, true
		}
	}
	if !tied {
		return nil
	}
	mean, _ := meanSD(values)
	return &mean
}

// spread returns the standard deviations over checkpoints.
func spread(of []report.Method, get func(report.Method) report.Average) report.Average {
	sd := func(rate func(report.Average) float64) float64 {
		values := make([]float64, len(of))
		for k, m := range of {
			values[k] = rate(get(m))
		}
		_, sd := meanSD(values)
		return sd
	}
	return report.Average{
		FPR95:        sd(func(a report.Average) float64 { return a.FPR95 }),
		AUROC:        sd(func(a report.Average) float64 { return a.AUROC }),
		FPR95OpenOOD: sd(func(a report.Average) float64 { return a.FPR95OpenOOD }),
	}
}

// meanSD returns the mean of values and their sample standard deviation; NaN and 0 where a value is NaN.
func meanSD(values []float64) (mean, sd float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v
	}
	mean /= n
	if math.IsNaN(mean) {
		return mean, 0
	}
	// rounding must not move the mean outside the range of the values
	mean = min(max(mean, slices.Min(values)), slices.Max(values))
	for _, v := range values {
		d := v - mean
		sd += float64(d * d)
	}
	return mean, math.Sqrt(sd / (n - 1))
}
