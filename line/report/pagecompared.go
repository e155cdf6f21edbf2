package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// comparisonView is one paired test.
type comparisonView struct {
	A, B        string
	IndexA      int
	Difference  string
	CI          string
	P, Adjusted string
	Clear       bool // whether the corrected p-value is below 5 %
}

// comparisonSentence says which test the p-values come from.
func (r Result) comparisonSentence() string {
	if r.Bootstrap == nil {
		return "By DeLong's test."
	}
	return fmt.Sprintf("By a paired bootstrap of %d resamples.", r.Bootstrap.Resamples)
}

func (r Result) viewComparisons() (out []comparisonView) {
	for _, c := range r.Comparisons {
		out = append(out, comparisonView{
			A: printable(c.A), B: printable(c.B), IndexA: r.index(c.A),
			Difference: fmt.Sprintf("%+.2f", 100*c.Difference), CI: fmt.Sprintf("%+.2f to %+.2f", 100*c.CI.Lo,
				100*c.CI.Hi),
			P: FormatP(c.P), Adjusted: FormatP(c.Adjusted), Clear: c.Adjusted < 0.05,
		})
	}
	return out
}

// tuningView says how a method's parameters were chosen.
type tuningView struct {
	Method, Chosen, ID, OOD string
	Pseudo                  bool
	Names                   []string // names of the parameters
	Trials                  []trialView
}

type trialView struct {
	Values       []string // in the order of the names
	AUROC, FPR95 string
	Best         bool
}

func (r Result) viewTunings() (out []tuningView) {
	for _, m := range r.Methods {
		if m.Tuning != nil {
			out = append(out, viewTuning(m))
		}
	}
	return out
}

func viewTuning(m Method) tuningView {
	t := m.Tuning
	v := tuningView{Method: printable(m.Name), Chosen: FormatParams(m.Params), ID: printable(t.ID),
		OOD: printable(strings.Join(t.OOD, ", ")), Pseudo: t.Pseudo}
	seen := map[string]bool{}
	for _, trial := range t.Trials {
		for name := range trial.Params {
			seen[name] = true
		}
	}
	names := slices.Sorted(maps.Keys(seen))
	for _, name := range names {
		v.Names = append(v.Names, printable(name))
	}
	best := 0
	for i, trial := range t.Trials {
		if b := t.Trials[best]; trial.AUROC > b.AUROC || trial.AUROC == b.AUROC && trial.FPR95 < b.FPR95 {
			best = i
		}
	}
	for i, trial := range t.Trials {
		view := trialView{AUROC: fmt.Sprintf("%.2f", 100*trial.AUROC), FPR95: fmt.Sprintf("%.2f", 100*trial.FPR95),
			Best: i == best}
		for _, name := range names {
			value, ok := trial.Params[name]
			text := ""
			if ok {
				text = fmt.Sprint(value)
			}
			view.Values = append(view.Values, text)
		}
		v.Trials = append(v.Trials, view)
	}
	return v
}
