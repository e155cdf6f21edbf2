package report

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
)

// ComparisonTable returns the comparisons as rows: the difference of the methods' average AUROC with its interval,
// the p-value, and the p-value corrected for all comparisons. It is "" where there are none, and ends without a
// newline. It is an error if the result is not valid.
func (r Result) ComparisonTable(f Format) (string, error) {
	if err := r.Validate(); err != nil || len(r.Comparisons) == 0 {
		return "", err
	}
	escape, _ := f.style(false)
	w := newTable(1, []string{"AUROC compared", "difference",
		fmt.Sprintf("%s %% interval", formatPercent(r.comparisonLevel())), "p", "p, corrected"})
	for _, c := range r.Comparisons {
		w.AppendRow(table.Row{
			escape(c.A + " − " + c.B), fmt.Sprintf("%+.2f", 100*c.Difference),
			fmt.Sprintf("%+.2f to %+.2f", 100*c.CI.Lo, 100*c.CI.Hi),
			FormatP(c.P), FormatP(c.Adjusted),
		})
	}
	return f.render(w, r.comparisonTest()), nil
}

// comparisonLevel is the level of the confidence intervals of differences.
func (r Result) comparisonLevel() float64 {
	if r.Bootstrap != nil {
		return r.Bootstrap.Level
	}
	return 0.95
}

// comparisonTest names the test that the p-values come from.
func (r Result) comparisonTest() string {
	test := "DeLong's test"
	if r.Bootstrap != nil {
		test = fmt.Sprintf("paired bootstrap of %d resamples", r.Bootstrap.Resamples)
	}
	return fmt.Sprintf("differences of average AUROC in percentage points on the same samples; p: %s, two-sided; "+
		"corrected for the number of comparisons, %d, by Holm's method",
		test, len(r.Comparisons))
}

// FormatP formats a p-value for tables: "0.012", "0.0003", or "< 0.0001" for smaller ones.
func FormatP(p float64) string {
	switch {
	case p < 0.0001:
		return "< 0.0001"
	case p < 0.001:
		return fmt.Sprintf("%.4f", p)
	default:
		return fmt.Sprintf("%.3f", p)
	}
}
