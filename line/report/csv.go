package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// WriteCSV writes one row for each method and OOD set, with a header: method, ood, n, the rates in percent under
// their JSON names, with intervals as NAME_lo and NAME_hi if any set has them (empty where a set has none), and the
// method's fit_seconds, us_per_sample and params ("clip = 1, p_a = 90"). Further columns follow for what the result
// has besides: bytes, group with group_fpr95 and group_auroc (means over the group), average_fpr95 and average_auroc,
// standard deviations over checkpoints as NAME_sd, full-spectrum rates as fs_NAME, aurc and misclassification_auroc,
// and, where all comparisons are with the same method, compared_with, difference, difference_lo, difference_hi, p and
// p_adjusted. Names are quoted as RFC 4180 requires. It is an error if the result is not valid.
func (r Result) WriteCSV(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	columns := r.csvColumns()
	rows := [][]string{nil}
	for _, c := range columns {
		rows[0] = append(rows[0], c.name)
	}
	for _, m := range r.Methods {
		for i := range m.OOD {
			var row []string
			for _, c := range columns {
				row = append(row, c.value(m, i))
			}
			rows = append(rows, row)
		}
	}
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("report: csv: %w", err)
	}
	return nil
}

// csvColumn is a column; value returns its text for a method's OOD set i.
type csvColumn struct {
	name  string
	value func(m Method, i int) string
}

// csvColumns returns the columns for which the result has values.
func (r Result) csvColumns() []csvColumn {
	columns := []csvColumn{
		{"method", func(m Method, _ int) string { return m.Name }},
		{"ood", func(m Method, i int) string { return m.OOD[i].Name }},
		{"n", func(m Method, i int) string { return strconv.Itoa(m.OOD[i].N) }},
	}
	intervals := slices.ContainsFunc(r.Methods, func(m Method) bool {
		return slices.ContainsFunc(m.OOD, func(o OOD) bool { return o.CI != nil })
	})
	for _, f := range rateFields {
		columns = append(columns, csvColumn{f.key, func(m Method, i int) string {
			return formatPercent(*f.value(&m.OOD[i].Metrics))
		}})
		if intervals {
			columns = append(columns,
				csvColumn{f.key + "_lo", func(m Method, i int) string { return intervalEnd(f, m.OOD[i], false) }},
				csvColumn{f.key + "_hi", func(m Method, i int) string { return intervalEnd(f, m.OOD[i], true) }})
		}
	}
	if r.anyTied() {
		columns = append(columns, csvColumn{"fpr95_tie_aware", func(m Method, i int) string {
			return formatPercent(m.OOD[i].tieAware())
		}})
	}
	columns = append(columns,
		csvColumn{"fit_seconds", func(m Method, _ int) string { return formatFloat(m.FitSeconds) }},
		csvColumn{"us_per_sample", func(m Method, _ int) string { return formatFloat(m.MicrosPerSample) }},
		csvColumn{"params", func(m Method, _ int) string { return FormatParams(m.Params) }},
		csvColumn{"bytes", func(m Method, _ int) string { return strconv.FormatInt(m.Bytes, 10) }})
	columns = append(columns, r.averageColumns()...)
	if slices.ContainsFunc(r.Methods, func(m Method) bool { return m.Misclassification != nil }) {
		columns = append(columns,
			csvColumn{"aurc", func(m Method, _ int) string {
				return m.misclassified(func(e *Misclassification) float64 { return e.AURC })
			}},
			csvColumn{"misclassification_auroc", func(m Method, _ int) string {
				return m.misclassified(func(e *Misclassification) float64 { return e.AUROC })
			}})
	}
	return append(columns, r.comparisonColumns()...)
}

// averageColumns returns the columns of groups, averages, standard deviations and the full spectrum, where the result
// has them.
func (r Result) averageColumns() []csvColumn {
	var columns []csvColumn
	add := func(name string, value func(m Method, i int) float64) {
		columns = append(columns, csvColumn{name, func(m Method, i int) string { return optionalPercent(value(m, i)) }})
	}
	if len(r.Methods[0].Groups()) > 0 {
		columns = append(columns, csvColumn{"group", func(m Method, i int) string { return m.OOD[i].Group }})
		add("group_fpr95", func(m Method, i int) float64 { return m.groupOf(i).FPR95 })
		add("group_auroc", func(m Method, i int) float64 { return m.groupOf(i).AUROC })
		add("average_fpr95", func(m Method, _ int) float64 { return m.Average().FPR95 })
		add("average_auroc", func(m Method, _ int) float64 { return m.Average().AUROC })
	}
	if r.Checkpoints > 1 {
		add("fpr95_sd", func(m Method, i int) float64 { return m.Spread[i].FPR95 })
		add("auroc_sd", func(m Method, i int) float64 { return m.Spread[i].AUROC })
		add("fpr95_openood_sd", func(m Method, i int) float64 { return m.Spread[i].FPR95OpenOOD })
	}
	if r.FullSpectrum != nil {
		for _, f := range rateFields {
			add("fs_"+f.key, func(m Method, i int) float64 { return *f.value(&m.FullSpectrum[i].Metrics) })
		}
	}
	return columns
}

// comparisonColumns returns the columns of the comparisons if all of them are with the same method.
func (r Result) comparisonColumns() []csvColumn {
	of := map[string]Comparison{}
	for _, c := range r.Comparisons {
		if _, twice := of[c.B]; twice || c.A != r.Comparisons[0].A {
			return nil
		}
		of[c.B] = c
	}
	if len(of) == 0 {
		return nil
	}
	var columns []csvColumn
	add := func(name string, value func(c Comparison) string) {
		columns = append(columns, csvColumn{name, func(m Method, _ int) string {
			if c, ok := of[m.Name]; ok {
				return value(c)
			}
			return ""
		}})
	}
	add("compared_with", func(c Comparison) string { return c.A })
	add("difference", func(c Comparison) string { return formatPercent(c.Difference) })
	add("difference_lo", func(c Comparison) string { return formatPercent(c.CI.Lo) })
	add("difference_hi", func(c Comparison) string { return formatPercent(c.CI.Hi) })
	add("p", func(c Comparison) string { return formatFloat(c.P) })
	add("p_adjusted", func(c Comparison) string { return formatFloat(c.Adjusted) })
	return columns
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// optionalPercent is formatPercent, and empty for NaN.
func optionalPercent(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return formatPercent(v)
}

// intervalEnd returns one end of a rate's interval, "" where there is none.
func intervalEnd(f rateField, o OOD, upper bool) string {
	switch {
	case o.CI == nil:
		return ""
	case upper:
		return formatPercent(f.interval(o.CI).Hi)
	}
	return formatPercent(f.interval(o.CI).Lo)
}

func (m Method) misclassified(rate func(*Misclassification) float64) string {
	if m.Misclassification == nil {
		return ""
	}
	return optionalPercent(rate(m.Misclassification))
}

// groupOf is the mean over the group of OOD set i, NaN where the set has no group.
func (m Method) groupOf(i int) Average {
	for _, g := range m.Groups() {
		if g.Name == m.OOD[i].Group {
			return g.Average
		}
	}
	return averageOf(nil)
}
