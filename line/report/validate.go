package report

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/line-ood/goline/line/metrics"
)

// Validate returns an error if there is no method, if a name is empty, not UTF-8 or used twice, if the methods differ
// in their OOD sets, or if a number is out of range: rates and p-values must be in [0, 1], times finite and not
// negative. Accuracies and the AUROC of misclassification may be NaN.
func (r Result) Validate() error {
	if len(r.Methods) == 0 {
		return fmt.Errorf("report: expected at least one method, got none")
	}
	if err := r.ID.validate("ID accuracy"); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if r.Bootstrap != nil && !(r.Bootstrap.Level > 0 && r.Bootstrap.Level < 1) {
		return fmt.Errorf("report: expected a bootstrap level in (0, 1), got %v", r.Bootstrap.Level)
	}
	if err := r.validateCSID(); err != nil {
		return err
	}
	if err := unique("method", len(r.Methods), func(i int) string { return r.Methods[i].Name }); err != nil {
		return err
	}
	for _, m := range r.Methods {
		if err := m.validate(r); err != nil {
			return fmt.Errorf("report: method %q: %w", m.Name, err)
		}
	}
	return r.validateComparisons()
}

func (id ID) validate(what string) error {
	if !finite(id.AccuracySpread) {
		return fmt.Errorf("standard deviation of %s: expected a finite number of at least 0, got %v", what,
			id.AccuracySpread)
	}
	if math.IsNaN(id.Accuracy) {
		return nil
	}
	return checkRate(what, id.Accuracy, id.AccuracyCI)
}

func (r Result) validateCSID() error {
	if (r.FullSpectrum == nil) != (len(r.CSID) == 0) {
		return fmt.Errorf("report: full-spectrum rates go with covariate-shifted ID sets, of which there are %d",
			len(r.CSID))
	}
	if err := unique("CSID set", len(r.CSID), func(i int) string { return r.CSID[i].Name }); err != nil {
		return err
	}
	for _, s := range r.CSID {
		if err := (ID{Accuracy: s.Accuracy}).validate("accuracy"); err != nil {
			return fmt.Errorf("report: CSID set %q: %w", s.Name, err)
		}
	}
	if r.FullSpectrum == nil {
		return nil
	}
	if err := r.FullSpectrum.validate("full-spectrum accuracy"); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r Result) validateComparisons() error {
	known := map[string]bool{}
	for _, m := range r.Methods {
		known[m.Name] = true
	}
	for i, c := range r.Comparisons {
		for _, name := range []string{c.A, c.B} {
			if !known[name] {
				return fmt.Errorf("report: comparison %d is of method %q, which the result does not have", i, name)
			}
		}
		if !(c.Difference >= -1 && c.Difference <= 1 && c.CI.Lo >= -1 && c.CI.Lo <= c.CI.Hi && c.CI.Hi <= 1) {
			return fmt.Errorf("report: comparison %d: expected fractions in [-1, 1], got difference %v in [%v, %v]", i,
				c.Difference, c.CI.Lo, c.CI.Hi)
		}
		if !(c.P >= 0 && c.P <= 1 && c.Adjusted >= 0 && c.Adjusted <= 1) {
			return fmt.Errorf("report: comparison %d: expected p-values in [0, 1], got %v and %v", i, c.P, c.Adjusted)
		}
	}
	return nil
}

// validate returns an error if m is malformed, or if its OOD sets are not those of the first method.
func (m Method) validate(r Result) error {
	if len(m.OOD) == 0 {
		return fmt.Errorf("no OOD sets")
	}
	if err := validateSets(r.Methods[0].Name, m.OOD, r.Methods[0].OOD); err != nil {
		return err
	}
	if len(m.FullSpectrum) > 0 || r.FullSpectrum != nil {
		if err := validateSets(r.Methods[0].Name, m.FullSpectrum, m.OOD); err != nil {
			return fmt.Errorf("full spectrum: %w", err)
		}
	}
	for what, v := range map[string]float64{
		"fit seconds": m.FitSeconds, "microseconds per sample": m.MicrosPerSample, "bytes": float64(m.Bytes),
	} {
		if !finite(v) {
			return fmt.Errorf("%s: expected a finite number of at least 0, got %v", what, v)
		}
	}
	if e := m.Misclassification; e != nil {
		if err := checkRate("AURC", e.AURC, nil); err != nil {
			return err
		}
		if err := (ID{Accuracy: e.AUROC}).validate("AUROC of misclassification"); err != nil {
			return err
		}
	}
	if err := m.validateSpread(r.Checkpoints); err != nil {
		return err
	}
	return m.Tuning.validate()
}

// validateSets returns an error if the sets are not those of the first method, or if a rate is not in [0, 1].
func validateSets(first string, sets, others []OOD) error {
	if err := unique("OOD set", len(sets), func(i int) string { return sets[i].Name }); err != nil {
		return err
	}
	if !slices.EqualFunc(sets, others, func(a, b OOD) bool { return a.Name == b.Name }) {
		return fmt.Errorf("expected OOD sets %q, as of method %q, got %q", setNames(others), first, setNames(sets))
	}
	for i, o := range sets {
		if o.Group != others[i].Group {
			return fmt.Errorf("OOD set %q: expected group %q, as of method %q, got %q", o.Name, others[i].Group, first,
				o.Group)
		}
		if !utf8.ValidString(o.Group) {
			return fmt.Errorf("OOD set %q: group %q is not valid UTF-8", o.Name, o.Group)
		}
		if o.TieAware != nil {
			if err := checkRate("fpr95_tie_aware", *o.TieAware, nil); err != nil {
				return fmt.Errorf("OOD set %q: %w", o.Name, err)
			}
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
	return nil
}

// validateSpread returns an error unless, with several checkpoints, there are standard deviations of everything.
func (m Method) validateSpread(checkpoints int) error {
	if checkpoints < 0 {
		return fmt.Errorf("expected means over at least 0 checkpoints, got %d", checkpoints)
	}
	if checkpoints <= 1 {
		return nil
	}
	if len(m.Spread) != len(m.OOD) || len(m.GroupSpread) != len(m.Groups()) {
		return fmt.Errorf("expected standard deviations of %d OOD sets and %d groups, got %d and %d", len(m.OOD),
			len(m.Groups()), len(m.Spread), len(m.GroupSpread))
	}
	for _, a := range append(append([]Average{m.AverageSpread}, m.Spread...), m.GroupSpread...) {
		if !finite(a.FPR95) || !finite(a.AUROC) || !finite(a.FPR95OpenOOD) {
			return fmt.Errorf("standard deviations: expected finite numbers of at least 0, got %v", a)
		}
	}
	return nil
}

func (t *Tuning) validate() error {
	if t == nil {
		return nil
	}
	if len(t.Trials) == 0 {
		return fmt.Errorf("tuning: expected at least one trial, got none")
	}
	for _, name := range append([]string{t.ID}, t.OOD...) {
		if !utf8.ValidString(name) {
			return fmt.Errorf("tuning: name %q is not valid UTF-8", name)
		}
	}
	for i, trial := range t.Trials {
		for _, rate := range []float64{trial.AUROC, trial.FPR95} {
			if err := checkRate("a rate", rate, nil); err != nil {
				return fmt.Errorf("tuning: trial %d: %w", i, err)
			}
		}
		for name, v := range trial.Params {
			if math.IsNaN(v) || math.IsInf(v, 0) || !utf8.ValidString(name) {
				return fmt.Errorf("tuning: trial %d: parameter %q: expected a finite number, got %v", i, name, v)
			}
		}
	}
	return nil
}

func names(m Method) []string { return setNames(m.OOD) }

func setNames(sets []OOD) []string {
	var out []string
	for _, o := range sets {
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
		return fmt.Errorf("%s: expected a fraction in [0, 1], got %v", what, v)
	}
	if ci != nil && !(ci.Lo >= 0 && ci.Lo <= ci.Hi && ci.Hi <= 1) {
		return fmt.Errorf("interval of %s: expected fractions in [0, 1], got [%v, %v]", what, ci.Lo, ci.Hi)
	}
	return nil
}

// finite reports whether v is a finite number of at least 0.
func finite(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
