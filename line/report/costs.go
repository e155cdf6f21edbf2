package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
)

// CostTable returns methods as rows, with the seconds of fitting, the microseconds to score one sample, the memory
// that they hold, where it is known, and, where labels of the ID set are known, how well their scores find wrong
// predictions of the classifier. The text ends without a newline. It is an error if the result is not valid.
func (r Result) CostTable(f Format) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	escape, _ := f.style(false)
	header := []string{"method", "fit, s", "score, µs a sample", "memory"}
	wrong := slices.ContainsFunc(r.Methods, func(m Method) bool { return m.Misclassification != nil })
	caption := "time and memory"
	if wrong {
		header = append(header, "AURC ↓", "AUROC of errors ↑")
		caption += "; of the classifier's errors on the ID set: area under the risk-coverage curve, and AUROC of " +
			"right above wrong predictions, in %"
	}
	w := newTable(1, header)
	for _, m := range r.Methods {
		row := table.Row{escape(m.Name), fmt.Sprintf("%.3g", m.FitSeconds), fmt.Sprintf("%.3g", m.MicrosPerSample),
			formatBytes(m.Bytes)}
		if e := m.Misclassification; wrong && e != nil {
			row = append(row, fmt.Sprintf("%.3f", 100*e.AURC), formatRate(e.AUROC))
		}
		w.AppendRow(row)
	}
	return f.render(w, caption), nil
}

// formatRate formats a fraction in percent with two decimals, NaN as "".
func formatRate(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf("%.2f", 100*v)
}

// formatBytes formats a number of bytes with a unit, 0 as "".
func formatBytes(n int64) string {
	const step = 1000
	switch v := float64(n); {
	case n == 0:
		return ""
	case n < step:
		return fmt.Sprintf("%d B", n)
	case v < 999.5*step:
		return fmt.Sprintf("%.3g kB", v/step)
	case v < 999.5*step*step:
		return fmt.Sprintf("%.3g MB", v/step/step)
	default:
		return fmt.Sprintf("%.3g GB", v/step/step/step)
	}
}
