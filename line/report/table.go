package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Format is how a table is written.
type Format int

const (
	// Text draws lines for a terminal or a log.
	Text Format = iota
	// Markdown writes a GitHub-flavoured Markdown table.
	Markdown
)

// Table returns methods with their parameters as rows and OOD sets as columns, the average last, each cell "FPR95 / AUROC" in percent with
// two decimals, and a caption that says so. With highlight the best values of each column are bold, with a terminal's
// escape codes in Text and with asterisks in Markdown; values that look the same are all best. The text ends without
// a newline. It errors if the result is not valid.
func (r Result) Table(f Format, highlight bool) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	escape, bold := printable, func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	if f == Markdown {
		escape, bold = markdown, func(s string) string { return "**" + s + "**" }
	}
	if !highlight {
		bold = func(s string) string { return s }
	}

	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault // names keep their case
	w.Style().Format.HeaderAlign = text.AlignCenter
	header := table.Row{"method", "parameters"}
	var configs []table.ColumnConfig
	for i := range header {
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft})
	}
	for i, o := range r.Methods[0].OOD {
		header = append(header, escape(o.Name))
		configs = append(configs, rightAligned(i+3))
	}
	w.AppendHeader(append(header, "average"))
	w.SetColumnConfigs(append(configs, rightAligned(len(header)+1)))

	columns := r.cells()
	for i, m := range r.Methods {
		row := table.Row{escape(m.Name), escape(FormatParams(m.Params))}
		for _, column := range columns {
			row = append(row, column[i].join(bold))
		}
		w.AppendRow(row)
	}
	if f == Markdown { // without the empty line the caption would be a row
		return w.RenderMarkdown() + "\n\n" + r.caption(), nil
	}
	return w.Render() + "\n" + r.caption(), nil
}

func rightAligned(column int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignCenter}
}

func (r Result) caption() string {
	s := fmt.Sprintf("FPR95 (lower is better) / AUROC (higher is better) in %%; %d ID samples", r.ID.N)
	if !math.IsNaN(r.ID.Accuracy) {
		s += fmt.Sprintf(", accuracy %.2f %%", 100*r.ID.Accuracy)
	}
	return s
}

// cell is what one method reached on one OOD set, or on average, as people see it.
type cell struct {
	FPR95, AUROC         string
	BestFPR95, BestAUROC bool
}

// join writes both rates in a width that keeps a column of them in line.
func (c cell) join(bold func(string) string) string {
	pad := func(s string, best bool) string {
		// 100.00 needs a sixth place, which nearly no table has.
		blank := strings.Repeat(" ", max(0, 5-len(s)))
		if best {
			return blank + bold(s)
		}
		return blank + s
	}
	return pad(c.FPR95, c.BestFPR95) + " / " + pad(c.AUROC, c.BestAUROC)
}

// cells returns the table's columns, shape [OOD set + average, method].
func (r Result) cells() [][]cell {
	var columns [][]cell
	for set := range len(r.Methods[0].OOD) + 1 {
		column := make([]cell, len(r.Methods))
		for i, m := range r.Methods {
			a := m.Average()
			if set < len(m.OOD) {
				a = Average{m.OOD[set].Metrics.FPR95, m.OOD[set].Metrics.AUROC}
			}
			column[i] = cell{FPR95: fmt.Sprintf("%.2f", 100*a.FPR95), AUROC: fmt.Sprintf("%.2f", 100*a.AUROC)}
		}
		markBest(column)
		columns = append(columns, column)
	}
	return columns
}

// markBest compares what is shown: shorter numbers are smaller, numbers of one length compare as text.
func markBest(column []cell) {
	less := func(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }
	lowest, highest := column[0].FPR95, column[0].AUROC
	for _, c := range column {
		if less(c.FPR95, lowest) {
			lowest = c.FPR95
		}
		if less(highest, c.AUROC) {
			highest = c.AUROC
		}
	}
	for i := range column {
		column[i].BestFPR95 = column[i].FPR95 == lowest
		column[i].BestAUROC = column[i].AUROC == highest
	}
}
