package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// ErrNoMethods and ErrNoSets are what Run wraps where there is nothing to compare.
var (
	ErrNoMethods = errors.New("no methods")
	ErrNoSets    = errors.New("no out-of-distribution sets")
)

// Set is a named set of samples. The name appears in reports and errors.
type Set struct {
	Name string
	posthoc.Samples
}

// Data is what methods are fitted to and compared on: a network's final layer, and samples of in-distribution (ID) pictures to
// fit, ID test pictures, and out-of-distribution (OOD) test pictures.
type Data struct {
	Head    posthoc.Head
	Fit, ID Set
	OOD     []Set
}

// RunOptions says what is computed beside the rates. The zero value computes nothing else.
type RunOptions struct {
	// Resamples is the number of bootstrap resamples behind intervals of all rates; 0 for none.
	Resamples int
	// Level is that of the intervals, in (0, 1); 0 means 0.95.
	Level float64
	// Seed is that of the bootstrap.
	Seed uint64
	// Progress, if not nil, is told how many methods are done.
	Progress func(done, total int)
}

// Result is what an evaluation found.
type Result struct {
	ID        report.ID
	Methods   []report.Method
	Bootstrap *report.Bootstrap // nil without intervals
	Seed      uint64
	// Scores holds every score behind the rates, by method.
	Scores []report.Scores
}

// Report returns the result as package report renders it.
func (r *Result) Report(net string, weights report.Weights) report.Result {
	return report.Result{Net: net, Weights: weights, Seed: r.Seed, ID: r.ID, Methods: r.Methods, Bootstrap: r.Bootstrap}
}

// Run fits each method to d.Fit and measures how well its scores tell the samples of d.ID from those of each OOD set, with the
// classifier's accuracy on d.ID where labels are known. Labels of OOD sets are not used. Rates are fractions.
//
// It errors where there is no method or no OOD set, for a name that is used twice or is no valid name in a report, for invalid
// samples, with a method's error, which names method and set, and with ctx's error.
func Run(ctx context.Context, d Data, methods []posthoc.Method, o RunOptions) (*Result, error) {
	if len(methods) == 0 {
		return nil, fmt.Errorf("eval: %w", ErrNoMethods)
	}
	if len(d.OOD) == 0 {
		return nil, fmt.Errorf("eval: %w", ErrNoSets)
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	r := &Result{Seed: o.Seed}
	if o.Resamples > 0 {
		r.Bootstrap = &report.Bootstrap{Resamples: o.Resamples, Level: o.Level}
	}
	var err error
	if r.ID, err = accuracy(ctx, d.ID.Samples, o); err != nil {
		return nil, err
	}
	for i, m := range methods {
		measured, scores, err := Measure(ctx, d, m, o)
		if err != nil {
			return nil, err
		}
		r.Methods, r.Scores = append(r.Methods, measured), append(r.Scores, scores)
		if o.Progress != nil {
			o.Progress(i+1, len(methods))
		}
	}
	return r, r.Report("", report.Weights{}).Validate()
}

// accuracy is that of the largest logit on labelled samples, NaN where no label is known.
func accuracy(ctx context.Context, s posthoc.Samples, o RunOptions) (report.ID, error) {
	id := report.ID{N: s.N, Accuracy: math.NaN()}
	var predicted, labels []int
	all := s.Predictions()
	for i, label := range s.Labels {
		if label >= 0 {
			predicted, labels = append(predicted, all[i]), append(labels, label)
		}
	}
	if len(labels) == 0 {
		return id, nil
	}
	var err error
	if id.Accuracy, err = metrics.Accuracy(predicted, labels); err != nil || o.Resamples == 0 {
		return id, err
	}
	ci, err := metrics.BootstrapAccuracy(ctx, predicted, labels, o.Resamples, o.Level, o.Seed)
	id.AccuracyCI = &ci
	return id, err
}

// Measure fits one method and scores all sets with it, as [Run] does for each.
func Measure(ctx context.Context, d Data, m posthoc.Method, o RunOptions) (report.Method, report.Scores, error) {
	r, all := report.Method{Name: m.Name()}, report.Scores{Method: m.Name()}
	if len(d.OOD) == 0 {
		return r, all, fmt.Errorf("eval: %w", ErrNoSets)
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	start := time.Now()
	if err := m.Fit(ctx, d.Head, d.Fit.Samples); err != nil {
		return r, all, fmt.Errorf("fit %s%s: %w", m.Name(), on(d.Fit.Name), err)
	}
	r.Params, r.FitSeconds = m.Params(), time.Since(start).Seconds()
	score := func(set Set) ([]float64, error) {
		scores := make([]float64, set.N)
		if err := m.Score(ctx, set.Samples, scores); err != nil {
			return nil, fmt.Errorf("score with %s%s: %w", m.Name(), on(set.Name), err)
		}
		return scores, nil
	}
	start = time.Now()
	var err error
	if all.ID, err = score(d.ID); err != nil {
		return r, all, err
	}
	r.MicrosPerSample = time.Since(start).Seconds() * 1e6 / float64(len(all.ID))
	for _, set := range d.OOD {
		set.Labels = nil // labels of another label space mean nothing here
		scores, err := score(set)
		if err != nil {
			return r, all, err
		}
		found, err := compare(ctx, set.Name, all.ID, scores, o)
		if err != nil {
			return r, all, fmt.Errorf("%s%s: %w", m.Name(), on(set.Name), err)
		}
		r.OOD = append(r.OOD, found)
		all.OOD = append(all.OOD, report.NamedScores{Name: set.Name, Scores: scores})
	}
	return r, all, nil
}

// on names a set in an error, where it has a name.
func on(name string) string {
	if name == "" {
		return ""
	}
	return " on " + name
}

func compare(ctx context.Context, name string, id, ood []float64, o RunOptions) (report.OOD, error) {
	r := report.OOD{Name: name, N: len(ood)}
	var err error
	if r.Metrics, err = metrics.Evaluate(id, ood); err != nil || o.Resamples == 0 {
		return r, err
	}
	ci, err := metrics.Bootstrap(ctx, id, ood, o.Resamples, o.Level, o.Seed)
	r.CI = &ci
	return r, err
}
