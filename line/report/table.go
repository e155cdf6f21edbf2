package report

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Format is the format of a table.
type Format int

const (
	// Text draws lines for a terminal or a log.
	Text Format = iota
	// Markdown writes a GitHub-flavoured Markdown table.
	Markdown
	// HTML writes one table element, whose caption element holds the caption; names are escaped.
	HTML
)

// Convention says which of the two rates called FPR95 a table shows; see package metrics.
type Convention int

const (
	// LINeFPR is the rate of the code published with LINe, DICE and ReAct, [metrics.FPR95]: ID is the positive class.
	LINeFPR Convention = iota
	// OpenOODFPR is OpenOOD's, [metrics.FPR95OpenOOD]: OOD is the positive class.
	OpenOODFPR
)

// of returns the rate by this convention.
func (c Convention) of(a Average) float64 {
	if c == OpenOODFPR {
		return a.FPR95OpenOOD
	}
	return a.FPR95
}

// TableOptions says how a table looks. The zero value gives plain text.
type TableOptions struct {
	Format Format // the zero value is Text
	// Highlight makes the best values of each column bold: with a terminal's escape codes in Text, with asterisks in
	// Markdown, and with b elements in HTML. Values that look equal are all best.
	Highlight bool
	// FPR is the convention of the rates; the zero value is that of LINe's authors.
	FPR Convention
	// FullSpectrum shows the rates with covariate-shifted ID sets counted as ID. The result must have such rates.
	FullSpectrum bool
}

// Table is [Result.TableWith] for LINe's convention of FPR95: text without a newline at its end.
func (r Result) Table(f Format, highlight bool) (string, error) {
	return r.TableWith(TableOptions{Format: f, Highlight: highlight})
}

// TableWith returns a table with methods and their parameters as rows. Its columns are the OOD sets, followed by the
// averages of groups and of all sets. Each cell is "FPR95 / AUROC" in percent with two decimals, with standard
// deviations where there are several checkpoints. A caption says so. The text ends without a newline. It is an error
// if the result is not valid, or lacks the full-spectrum rates that are asked for.
func (r Result) TableWith(o TableOptions) (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	if o.FullSpectrum {
		if r.FullSpectrum == nil {
			return "", fmt.Errorf("report: no covariate-shifted ID sets for a full-spectrum table")
		}
		r = r.fullSpectrum()
	}
	escape, bold := o.Format.style(o.Highlight)
	columns := r.columns(o.FPR)
	header := []string{"method", "parameters"}
	for _, c := range columns {
		header = append(header, escape(c.title))
	}
	w := newTable(2, header)
	for i, m := range r.Methods {
		row := table.Row{escape(m.Name), escape(FormatParams(m.Params))}
		for _, c := range columns {
			row = append(row, c.cells[i].join(bold))
		}
		w.AppendRow(row)
	}
	return o.Format.render(w, r.caption(o)), nil
}

// style returns the format's functions to escape a name and to make the best values bold.
func (f Format) style(highlight bool) (escape, bold func(string) string) {
	escape, bold = printable, func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	switch f {
	case Markdown:
		escape, bold = markdown, func(s string) string { return "**" + s + "**" }
	case HTML:
		escape, bold = func(s string) string { return html.EscapeString(printable(s)) },
			func(s string) string { return "<b>" + s + "</b>" }
	}
	if !highlight {
		bold = func(s string) string { return s }
	}
	return escape, bold
}

// alignment is the attribute of a cell in HTML. Notebooks have a style for cells that outranks it, but not a cell's own
// style.
var alignment = regexp.MustCompile(`(<t[dh]) align="([a-z]+)"`)

// render writes a table with a caption.
func (f Format) render(w table.Writer, caption string) string {
	switch f {
	case Markdown: // without an empty line Markdown would read the caption as a row
		return w.RenderMarkdown() + "\n\n" + caption
	case HTML: // HTML requires the caption as the table's first child
		w.Style().HTML = table.HTMLOptions{CSSClass: "goline", Newline: "<br/>"} // cells are escaped already
		opening, rest, _ := strings.Cut(w.RenderHTML(), "\n")
		rest = alignment.ReplaceAllString(rest, `$1 style="text-align:$2"`)
		return opening + "\n  <caption>" + caption + "</caption>\n" + rest
	}
	return w.Render() + "\n" + caption
}

// newTable starts a table whose first texts columns are text and whose others are numbers.
func newTable(texts int, header []string) table.Writer {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault // names keep their case
	w.Style().Format.HeaderAlign = text.AlignCenter
	row, configs := table.Row{}, []table.ColumnConfig{}
	for i, h := range header {
		row = append(row, h)
		c := table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignCenter}
		if i < texts {
			c.Align, c.AlignHeader = text.AlignLeft, text.AlignLeft
		}
		configs = append(configs, c)
	}
	w.AppendHeader(row)
	w.SetColumnConfigs(configs)
	return w
}

// fullSpectrum returns the result with covariate-shifted ID sets counted as ID, without standard deviations over
// checkpoints.
func (r Result) fullSpectrum() Result {
	r.ID, r.Checkpoints = *r.FullSpectrum, min(r.Checkpoints, 1)
	r.Methods = slices.Clone(r.Methods)
	for i := range r.Methods {
		r.Methods[i].OOD = r.Methods[i].FullSpectrum
	}
	return r
}

func (r Result) caption(o TableOptions) string {
	fpr := "FPR95"
	if o.FPR == OpenOODFPR {
		fpr = "OpenOOD's FPR95"
	}
	s := fmt.Sprintf("%s (lower is better) / AUROC (higher is better) in %%; %d ID samples", fpr, r.ID.N)
	if o.FullSpectrum {
		var shifted []string
		for _, c := range r.CSID {
			shifted = append(shifted, fmt.Sprintf("%d of %s", c.N, printable(c.Name)))
		}
		s += ", with covariate-shifted ones (full spectrum: " + strings.Join(shifted, ", ") + ")"
		switch o.Format {
		case Markdown:
			s = markdown(s)
		case HTML:
			s = html.EscapeString(s)
		}
	}
	if !math.IsNaN(r.ID.Accuracy) {
		s += fmt.Sprintf(", accuracy %.2f %%", 100*r.ID.Accuracy)
		if r.Checkpoints > 1 {
			s += fmt.Sprintf(" ± %.2f", 100*r.ID.AccuracySpread)
		}
	}
	if o.FPR == LINeFPR && r.anyTied() {
		s += "; in brackets FPR95 with ties shared, where samples tie at its threshold"
	}
	if r.Checkpoints > 1 {
		s += fmt.Sprintf("; mean ± standard deviation over %d checkpoints", r.Checkpoints)
	}
	return s
}

// anyTied reports whether ties straddle the threshold of any FPR95.
func (r Result) anyTied() bool {
	return slices.ContainsFunc(r.Methods, func(m Method) bool {
		_, tied := tieAware(m.OOD)
		return tied
	})
}

// cell holds the formatted rates of one method on one OOD set, or on average.
type cell struct {
	FPR95, AUROC             string
	FPR95Spread, AUROCSpread string // standard deviations over checkpoints, "" for none
	BestFPR95, BestAUROC     bool
	TieAware                 string // tie-aware FPR95 where ties straddle the threshold, otherwise ""
}

// join joins both rates, padded so that a column of them is aligned.
func (c cell) join(bold func(string) string) string {
	pad := func(s, spread string, best bool) string {
		// Five characters are enough for all rates but 100.00, which hardly any table has.
		blank := strings.Repeat(" ", max(0, 5-len(s)))
		if best {
			s = bold(s)
		}
		if spread != "" {
			s += " ± " + spread
		}
		return blank + s
	}
	ties := ""
	if c.TieAware != "" {
		ties = " [" + c.TieAware + "]"
	}
	return pad(c.FPR95, c.FPR95Spread, c.BestFPR95) + ties + " / " + pad(c.AUROC, c.AUROCSpread, c.BestAUROC)
}

// column is an OOD set, a group, or the average over all sets, with a cell for each method.
type column struct {
	title string
	cells []cell
}

// columns returns the table's columns: OOD sets, averages of groups, average.
func (r Result) columns(fpr Convention) []column {
	first := r.Methods[0]
	var columns []column
	add := func(title string, sets func(m Method) []OOD, of func(m Method) (Average, Average)) {
		c := column{title: title, cells: make([]cell, len(r.Methods))}
		for i, m := range r.Methods {
			a, sd := of(m)
			c.cells[i] = cell{FPR95: fmt.Sprintf("%.2f", 100*fpr.of(a)), AUROC: fmt.Sprintf("%.2f", 100*a.AUROC)}
			if rate, tied := tieAware(sets(m)); tied && fpr == LINeFPR {
				c.cells[i].TieAware = fmt.Sprintf("%.2f", 100*rate)
			}
			if r.Checkpoints > 1 {
				c.cells[i].FPR95Spread, c.cells[i].AUROCSpread = fmt.Sprintf("%.2f", 100*fpr.of(sd)),
					fmt.Sprintf("%.2f", 100*sd.AUROC)
			}
		}
		markBest(c.cells)
		columns = append(columns, c)
	}
	spread := func(all []Average, i int) (a Average) {
		if r.Checkpoints > 1 {
			a = all[i]
		}
		return a
	}
	for set, o := range first.OOD {
		add(o.Name, func(m Method) []OOD { return m.OOD[set:][:1] },
			func(m Method) (Average, Average) { return averageOf(m.OOD[set:][:1]), spread(m.Spread, set) })
	}
	for g, group := range first.Groups() {
		in := func(m Method) (sets []OOD) {
			for _, o := range m.OOD {
				if o.Group == group.Name {
					sets = append(sets, o)
				}
			}
			return sets
		}
		add("average "+group.Name, in, func(m Method) (Average, Average) {
			return m.Groups()[g].Average, spread(m.GroupSpread, g)
		})
	}
	add("average", func(m Method) []OOD {
		return m.OOD
	}, func(m Method) (Average, Average) { return m.Average(), m.AverageSpread })
	return columns
}

// markBest compares numbers as they are shown: a shorter text is smaller, and texts of equal length compare as
// strings. FPR95 at a threshold that ties straddle is never marked as best.
func markBest(column []cell) {
	less := func(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }
	lowest, highest := "", column[0].AUROC
	for _, c := range column {
		if c.TieAware == "" && (lowest == "" || less(c.FPR95, lowest)) {
			lowest = c.FPR95
		}
		if less(highest, c.AUROC) {
			highest = c.AUROC
		}
	}
	for i := range column {
		column[i].BestFPR95 = column[i].TieAware == "" && column[i].FPR95 == lowest
		column[i].BestAUROC = column[i].AUROC == highest
	}
}
