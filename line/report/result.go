package report

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/line-ood/goline/line/metrics"
)

// Result is what an evaluation found: some methods, each on the same out-of-distribution (OOD) sets.
type Result struct {
	Net     string // the network's name
	Weights Weights
	Seed    uint64
	ID      ID
	Methods []Method
	// Bootstrap says how the intervals of the OOD sets were made; nil if there are none.
	Bootstrap *Bootstrap
	// Comparisons tests methods against each other; empty where none was asked for.
	Comparisons []Comparison
	// Checkpoints is the number of checkpoints of the network that the rates are means of; 0 or 1 for one.
	Checkpoints int
}

// Comparison is a paired test of two methods on the same samples: the difference of their average AUROC over all OOD sets.
type Comparison struct {
	A, B       string           // methods
	Difference float64          // average AUROC of A minus that of B, a fraction
	CI         metrics.Interval // of the difference, at the level of the bootstrap
	// P is the two-sided p-value of no difference; Adjusted is P corrected for all comparisons made (Holm, 1979).
	P, Adjusted float64
}

// Weights says which file the network's weights came from.
type Weights struct {
	File   string
	SHA256 string // in hexadecimal
}

// ID describes the in-distribution test set.
type ID struct {
	N          int
	Accuracy   float64           // a fraction; NaN if the labels are unknown
	AccuracyCI *metrics.Interval // nil if not computed
}

// Bootstrap describes how intervals were made.
type Bootstrap struct {
	Resamples int
	Level     float64 // a fraction, such as 0.95
}

// Method is what one method reached.
type Method struct {
	Name   string
	Params map[string]any // settings; values must suit encoding/json
	// FitSeconds is the time to fit and MicrosPerSample the time to score one sample in microseconds.
	FitSeconds, MicrosPerSample float64
	// Bytes is the memory that the fitted method holds; 0 where it is not known.
	Bytes int64
	// Tuning says how Params were chosen; nil where they were given.
	Tuning *Tuning
	// Misclassification says how well the scores tell wrong predictions on the ID set from right ones; nil without labels.
	Misclassification *Misclassification
	OOD               []OOD
	// Spread holds standard deviations over checkpoints of the network, in the order of OOD, where there are several.
	Spread []Average
}

// Tuning is a search of a method's parameters on validation data.
type Tuning struct {
	ID     string   // the validation ID set
	OOD    []string // the validation OOD sets
	Pseudo bool     // whether OOD was made from ID pictures
	Trials []Trial  // all settings, in the order of the grid
}

// Trial is one setting that a search tried, with means over the validation sets as fractions.
type Trial struct {
	Params       map[string]float64
	AUROC, FPR95 float64
}

// Misclassification holds rates of a score as a detector of the classifier's errors on ID samples, as fractions.
type Misclassification struct {
	AURC  float64 // area under the risk-coverage curve (Geifman and El-Yaniv, 2017); lower is better
	AUROC float64 // right above wrong predictions; NaN where all are right or all wrong
}

// OOD is what one method reached on one set.
type OOD struct {
	Name string
	// Group is "near", "far" or another word by which averages are taken; "" for none.
	Group   string
	N       int
	Metrics metrics.Metrics
	CI      *metrics.Intervals // nil if not computed
}

// Average is the mean over OOD sets, each counted once whatever its size.
type Average struct{ FPR95, AUROC float64 }

// Average returns the method's mean over its OOD sets, NaN without any.
func (m Method) Average() Average {
	var a Average
	for _, o := range m.OOD {
		a.FPR95 += o.Metrics.FPR95
		a.AUROC += o.Metrics.AUROC
	}
	n := float64(len(m.OOD))
	return Average{a.FPR95 / n, a.AUROC / n}
}

// Validate errors if there is no method, a name is empty, not UTF-8 or used twice, the methods differ in their OOD sets, or a
// number is not what it can be: rates in [0, 1], times finite and not negative. Only ID.Accuracy may be NaN.
func (r Result) Validate() error {
	if len(r.Methods) == 0 {
		return fmt.Errorf("report: no methods")
	}
	if !math.IsNaN(r.ID.Accuracy) {
		if err := checkRate("ID accuracy", r.ID.Accuracy, r.ID.AccuracyCI); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if r.Bootstrap != nil && !(r.Bootstrap.Level > 0 && r.Bootstrap.Level < 1) {
		return fmt.Errorf("report: bootstrap level %v is outside (0, 1)", r.Bootstrap.Level)
	}
	if err := unique("method", len(r.Methods), func(i int) string { return r.Methods[i].Name }); err != nil {
		return err
	}
	for _, m := range r.Methods {
		if err := m.validate(r.Methods[0]); err != nil {
			return fmt.Errorf("report: method %q: %w", m.Name, err)
		}
	}
	return nil
}

// validate errors if m is malformed or its OOD sets are not those of the first method.
func (m Method) validate(first Method) error {
	if len(m.OOD) == 0 {
		return fmt.Errorf("no OOD sets")
	}
	if err := unique("OOD set", len(m.OOD), func(i int) string { return m.OOD[i].Name }); err != nil {
		return err
	}
	for i, o := range m.OOD {
		if len(m.OOD) != len(first.OOD) || o.Name != first.OOD[i].Name {
			return fmt.Errorf("its OOD sets %q differ from %q of method %q", names(m), names(first), first.Name)
		}
		for _, f := range rateFields {
			var ci *metrics.Interval
			if o.CI != nil {
				ci = f.interval(o.CI)
			}
			if err := checkRate(f.key, *f.value(&o.Metrics), ci); err != nil {
				return fmt.Errorf("OOD set %q: %w", o.Name, err)
			}
		}
	}
	for what, v := range map[string]float64{"fit seconds": m.FitSeconds, "microseconds per sample": m.MicrosPerSample} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%s are %v, expected a finite number of at least 0", what, v)
		}
	}
	return nil
}

func names(m Method) []string {
	var out []string
	for _, o := range m.OOD {
		out = append(out, o.Name)
	}
	return out
}

func unique(kind string, n int, name func(int) string) error {
	seen := map[string]bool{}
	for i := range n {
		switch {
		case name(i) == "":
			return fmt.Errorf("report: %s %d has no name", kind, i)
		case !utf8.ValidString(name(i)):
			return fmt.Errorf("report: name %q of %s %d is not valid UTF-8", name(i), kind, i)
		case seen[name(i)]:
			return fmt.Errorf("report: two of %s %q", kind, name(i))
		}
		seen[name(i)] = true
	}
	return nil
}

func checkRate(what string, v float64, ci *metrics.Interval) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("%s is %v, expected a fraction in [0, 1]", what, v)
	}
	if ci != nil && !(ci.Lo >= 0 && ci.Lo <= ci.Hi && ci.Hi <= 1) {
		return fmt.Errorf("interval of %s is [%v, %v], expected fractions in [0, 1]", what, ci.Lo, ci.Hi)
	}
	return nil
}

// rateField is one rate of an OOD set, as it is named in JSON and CSV and to people.
type rateField struct {
	key, title string
	value      func(*metrics.Metrics) *float64
	interval   func(*metrics.Intervals) *metrics.Interval
}

// rateFields lists the rates in the order in which they are written. It is never changed.
var rateFields = []rateField{
	{"fpr95", "FPR95 ↓",
		func(m *metrics.Metrics) *float64 { return &m.FPR95 },
		func(c *metrics.Intervals) *metrics.Interval { return &c.FPR95 }},
	{"auroc", "AUROC ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUROC },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUROC }},
	{"aupr_in", "AUPR-in ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUPRIn },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUPRIn }},
	{"aupr_out", "AUPR-out ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUPROut },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUPROut }},
	{"fpr95_openood", "FPR95 (OpenOOD) ↓",
		func(m *metrics.Metrics) *float64 { return &m.FPR95OpenOOD },
		func(c *metrics.Intervals) *metrics.Interval { return &c.FPR95OpenOOD }},
	{"dterr", "DTERR ↓",
		func(m *metrics.Metrics) *float64 { return &m.DTERR },
		func(c *metrics.Intervals) *metrics.Interval { return &c.DTERR }},
}
