package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// ErrNoMethods and ErrNoSets are wrapped by the errors of Run where there is no method or no OOD set.
var (
	ErrNoMethods = errors.New("no methods")
	ErrNoSets    = errors.New("no out-of-distribution sets")
)

// Set is a named set of samples.
type Set struct {
	// Name appears in reports and errors.
	Name string
	// Group is "near", "far" or another name; averages are also taken over the OOD sets of each group. "" is no
	// group.
	Group string
	posthoc.Samples
}

// Data is the data on which methods are fitted and compared: a network's final layer, in-distribution (ID) samples to
// fit, ID test samples, and sets of out-of-distribution (OOD) test samples.
type Data struct {
	// Head is the network's final layer.
	Head posthoc.Head
	// Fit is what methods are fitted to, ID are the in-distribution test samples, OOD the out-of-distribution ones, at
	// least one set.
	Fit, ID Set
	OOD     []Set
	// CSID are covariate-shifted ID test sets: they show the network's classes in another manner, for example in
	// drawings. With them the result also has full-spectrum rates, which count them as ID. Nil for none.
	CSID []Set
}

// Values of RunOptions.Compare besides names of methods.
const (
	CompareAll  = "all"  // every method with every other
	CompareNone = "none" // no comparison
)

// RunOptions says what is computed besides the rates. The zero value compares every other method with LINe, if LINe
// is among the methods.
type RunOptions struct {
	// Resamples is the number of bootstrap resamples for intervals of all rates; 0 computes no intervals.
	Resamples int
	// Level is the level of the intervals, in (0, 1); 0 stands for 0.95.
	Level float64
	// Seed is the seed of the bootstrap.
	Seed uint64
	// Compare names the method with which every other one is compared, by a paired test of the average AUROC:
	// [metrics.DeLong], or [metrics.BootstrapPaired] where there are resamples, with p-values corrected by
	// [metrics.Holm]. It may be [CompareAll] or [CompareNone]. "" stands for line where that is among the methods,
	// otherwise for no comparison.
	Compare string
	// Kept reads scores of earlier runs and keeps new ones; nil for neither.
	Kept *KeptScores
	// Progress, if not nil, is called with the number of methods that are done.
	Progress func(done, total int)
}

// Result is the outcome of an evaluation.
type Result struct {
	ID           report.ID           // the in-distribution test set
	CSID         []report.CSID       // covariate-shifted ID sets, in their order
	FullSpectrum *report.ID          // nil without covariate-shifted ID sets
	Methods      []report.Method     // in the order in which they were given
	Comparisons  []report.Comparison // paired tests; nil where none was asked for
	Bootstrap    *report.Bootstrap   // nil without intervals
	// Checkpoints is the number of checkpoints whose mean rates these are, see [Combine]; 0 or 1 for a single one.
	Checkpoints int
	Seed        uint64 // that of the options
	// Scores holds every score behind the rates, by method; for several checkpoints, the scores of the first.
	Scores []report.Scores
}

// Report returns the result in the form that package report renders.
func (r *Result) Report(net string, weights report.Weights) report.Result {
	return report.Result{
		Net: net, Weights: weights, Seed: r.Seed, ID: r.ID, CSID: r.CSID, FullSpectrum: r.FullSpectrum,
		Methods:     r.Methods,
		Comparisons: r.Comparisons, Bootstrap: r.Bootstrap, Checkpoints: r.Checkpoints,
	}
}

// Run fits each method to d.Fit and measures how well its scores separate the samples of d.ID from those of each OOD
// set. It also measures the classifier's accuracy on d.ID where labels are known. Labels of OOD sets are ignored.
// Rates are fractions.
//
// It returns an error where there is no method or no OOD set, for a name that is used twice or that reports cannot
// use, for invalid samples, for an error of a method, naming method and set, and for that of ctx.
func Run(ctx context.Context, d Data, methods []posthoc.Method, o RunOptions) (*Result, error) {
	if len(methods) == 0 {
		return nil, fmt.Errorf("eval: %w", ErrNoMethods)
	}
	if len(d.OOD) == 0 {
		return nil, fmt.Errorf("eval: %w", ErrNoSets)
	}
	var names []string
	for _, m := range methods {
		names = append(names, m.Name())
	}
	pairs, err := o.pairs(names)
	if err != nil {
		return nil, err
	}
	if o.Level == 0 {
		o.Level = 0.95
	}
	r := &Result{Seed: o.Seed}
	if o.Resamples > 0 {
		r.Bootstrap = &report.Bootstrap{Resamples: o.Resamples, Level: o.Level}
	}
	if err := r.accuracies(ctx, d, o); err != nil {
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
	if err := r.Report("", report.Weights{}).Validate(); err != nil {
		return nil, err
	}
	r.Comparisons, err = compareMethods(ctx, names, [][]report.Scores{r.Scores}, pairs, o)
	return r, err
}
