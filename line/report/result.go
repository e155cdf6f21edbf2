package report

import "github.com/line-ood/goline/line/metrics"

// Result is the result of an evaluation: some methods, each on the same out-of-distribution (OOD) sets.
type Result struct {
	Net     string   // the network's name
	Weights Weights  // where its weights came from
	Seed    uint64   // that of the bootstrap and of whatever else was drawn
	ID      ID       // the in-distribution (ID) test set
	Methods []Method // in the order of tables, each with the same sets in the same order
	// Bootstrap says how the intervals of the OOD sets were computed; nil if there are none.
	Bootstrap *Bootstrap
	// Comparisons holds tests of methods against each other; empty where there are none.
	Comparisons []Comparison
	// Checkpoints is the number of checkpoints of the network whose mean rates these are; 0 or 1 for a single one.
	Checkpoints int
	// CSID describes covariate-shifted ID sets, which show the network's classes in another manner, for example in
	// drawings. Together with the ID set they count as ID in the full-spectrum rates (Yang et al., Full-Spectrum
	// Out-of-Distribution Detection, IJCV 2023; OpenOOD v1.5). Empty where there are none.
	CSID []CSID
	// FullSpectrum describes the ID set and all of CSID together; nil where CSID is empty.
	FullSpectrum *ID
}

// CSID describes a covariate-shifted ID set.
type CSID struct {
	Name     string  // the set's name
	N        int     // samples
	Accuracy float64 // a fraction; NaN if the labels are unknown
}

// Comparison is a paired test of two methods on the same samples: the difference of their average AUROC over all OOD
// sets. The test is [metrics.BootstrapPaired] where the result has a bootstrap, and [metrics.DeLong] elsewhere.
type Comparison struct {
	A, B       string           // methods
	Difference float64          // average AUROC of A minus that of B, a fraction
	CI         metrics.Interval // of Difference, at the level of the bootstrap, or 95 % without one
	// P is the two-sided p-value of the hypothesis that there is no difference. Adjusted is P corrected for all
	// comparisons (Holm, 1979).
	P, Adjusted float64
}

// Weights identifies the file that the network's weights came from.
type Weights struct {
	File   string // the file's name, or a word for what is no file
	SHA256 string // in hexadecimal
}

// ID describes the in-distribution test set.
type ID struct {
	N          int               // samples
	Accuracy   float64           // a fraction; NaN if the labels are unknown
	AccuracyCI *metrics.Interval // nil if not computed
	// AccuracySpread is the standard deviation over checkpoints of the network, where there are several.
	AccuracySpread float64
}

// Bootstrap describes how intervals were computed.
type Bootstrap struct {
	Resamples int     // at least 1
	Level     float64 // a fraction, such as 0.95
}

// Method holds the results of one method.
type Method struct {
	Name   string         // what tables call it
	Params map[string]any // settings; package encoding/json must be able to encode the values
	// FitSeconds is the time to fit, in seconds. MicrosPerSample is the time to score one sample, in microseconds.
	FitSeconds, MicrosPerSample float64
	// Bytes is the memory that the fitted method holds, in bytes; 0 where it is not known.
	Bytes int64
	// Tuning says how Params were chosen; nil where they were given.
	Tuning *Tuning
	// Misclassification says how well the scores separate wrong from right predictions on the ID set; nil without
	// labels.
	Misclassification *Misclassification
	// OOD holds the rates on each out-of-distribution set, in the order of all methods.
	OOD []OOD
	// Spread holds standard deviations over several checkpoints of the network, in the order of OOD. AverageSpread
	// and GroupSpread are those of Average and, in their order, of Groups.
	Spread        []Average
	AverageSpread Average
	GroupSpread   []Average
	// FullSpectrum holds the results of OOD, in the same order, with covariate-shifted ID sets counted as ID; empty
	// without such sets.
	FullSpectrum []OOD
}

// TuningRule says in words how a search chooses among its trials.
const TuningRule = "highest mean AUROC over the validation OOD sets; of equal ones the lowest mean FPR95, of still " +
	"equal ones the first of the grid"

// Tuning is a search of a method's parameters on validation data by TuningRule.
type Tuning struct {
	ID     string   // the validation ID set
	OOD    []string // the validation OOD sets
	Pseudo bool     // whether the OOD sets were made from ID pictures
	Trials []Trial  // all settings, in the order of the grid
}

// Trial is one setting that a search tried, with means over the validation sets as fractions.
type Trial struct {
	Params       map[string]float64 // the setting, by parameter
	AUROC, FPR95 float64            // means
}

// Misclassification holds rates of a score as a detector of the classifier's errors on ID samples, as fractions.
type Misclassification struct {
	AURC  float64 // area under the risk-coverage curve (Geifman and El-Yaniv, 2017); lower is better
	AUROC float64 // of right predictions against wrong ones; NaN where all are right or all wrong
}

// OOD holds the results of one method on one set.
type OOD struct {
	Name string // the set's name
	// Group is "near", "far" or another name; averages are also taken over each group. "" is no group.
	Group   string
	N       int                // samples
	Metrics metrics.Metrics    // fractions
	CI      *metrics.Intervals // nil if not computed
	// TieAware is [metrics.FPR95TieAware] where ties straddle the threshold of FPR95, which then says little;
	// otherwise nil.
	TieAware *float64
}

// tieAware is the tie-aware FPR95 where it differs from FPR95, otherwise FPR95.
func (o OOD) tieAware() float64 {
	if o.TieAware != nil {
		return *o.TieAware
	}
	return o.Metrics.FPR95
}

// tieAware returns the mean of the tie-aware rates, and whether ties straddle the threshold of any set.
func tieAware(sets []OOD) (mean float64, tied bool) {
	for _, o := range sets {
		mean += o.tieAware() / float64(len(sets))
		tied = tied || o.TieAware != nil
	}
	return min(mean, 1), tied
}
