package eval

import (
	"context"
	"errors"
	"fmt"

	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// ErrNoMethods and ErrNoSets are what Run wraps where there is nothing to compare.
var (
	ErrNoMethods = errors.New("no methods")
	ErrNoSets    = errors.New("no out-of-distribution sets")
)

// Set is a named set of samples.
type Set struct {
	// Name appears in reports and errors.
	Name string
	// Group is "near", "far" or another word by which averages over OOD sets are taken; "" for none.
	Group string
	posthoc.Samples
}

// Data is what methods are fitted to and compared on: a network's final layer, and samples of in-distribution (ID)
// pictures to fit, ID test pictures, and out-of-distribution (OOD) test pictures.
type Data struct {
	// Head is the network's final layer.
	Head posthoc.Head
	// Fit is what methods are fitted to, ID are the in-distribution test samples, OOD the out-of-distribution ones, at
	// least one set.
	Fit, ID Set
	OOD     []Set
	// CSID are covariate-shifted ID test sets: the classes that the network knows, shown in another manner. Where there
	// are such sets, the result also has full-spectrum rates, in which they count as ID; nil for none.
	CSID []Set
}

// Values of RunOptions.Compare beside names of methods.
const (
	CompareAll  = "all"  // every method with every other
	CompareNone = "none" // no comparison
)

// RunOptions says what is computed beside the rates. The zero value compares every method with LINe, where that is
// among them.
type RunOptions struct {
	// Resamples is the number of bootstrap resamples behind intervals of all rates; 0 for none.
	Resamples int
	// Level is that of the intervals, in (0, 1); 0 means 0.95.
	Level float64
	// Seed is that of the bootstrap.
	Seed uint64
	// Compare names the method that every other one is compared with by a paired test of the average AUROC:
	// [metrics.DeLong], or [metrics.BootstrapPaired] where there are resamples, p-values corrected by [metrics.Holm].
	// It may be [CompareAll] or [CompareNone]; "" means line where that is a method, and no comparison elsewhere.
	Compare string
	// Kept finds scores of an earlier run, and keeps new ones; nil for none.
	Kept *KeptScores
	// Progress, if not nil, is told how many methods are done.
	Progress func(done, total int)
}

// Result is what an evaluation found.
type Result struct {
	ID           report.ID           // the in-distribution test set
	CSID         []report.CSID       // covariate-shifted ID sets, in their order
	FullSpectrum *report.ID          // nil without covariate-shifted ID sets
	Methods      []report.Method     // in the order in which they were given
	Comparisons  []report.Comparison // paired tests; nil where none was asked for
	Bootstrap    *report.Bootstrap   // nil without intervals
	// Checkpoints is the number of checkpoints of the network that the rates are means of, see [Combine]; 0 or 1 for
	// one.
	Checkpoints int
	Seed        uint64 // that of the options
	// Scores holds every score behind the rates, by method; of several checkpoints those of the first.
	Scores []report.Scores
}

// Report returns the result as package report renders it.
func (r *Result) Report(net string, weights report.Weights) report.Result {
	return report.Result{
		Net: net, Weights: weights, Seed: r.Seed, ID: r.ID, CSID: r.CSID, FullSpectrum: r.FullSpectrum,
		Methods:     r.Methods,
		Comparisons: r.Comparisons, Bootstrap: r.Bootstrap, Checkpoints: r.Checkpoints,
	}
}

// Run fits each method to d.Fit and measures how well its scores tell the samples of d.ID from those of each OOD set,
// with the classifier's accuracy on d.ID where labels are known. Labels of OOD sets are not used. Rates are fractions.
//
// It errors where there is no method or no OOD set, for a name that is used twice or is no valid name in a report, for
// invalid samples, with a method's error, which names method and set, and with ctx's error.
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
