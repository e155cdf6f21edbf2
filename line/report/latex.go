package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteLaTeX writes the table of methods, their parameters and OOD sets as a LaTeX tabular for the package booktabs, to
// be included by \input: FPR95 and AUROC in percent with two decimals, the best of each column bold, averages last.
// With several checkpoints "± sd" follows each rate. LaTeX comments in it say which packages are needed and what the
// numbers are. It is an error if the result is not valid.
func (r Result) WriteLaTeX(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	columns := r.columns(LINeFPR)
	var b strings.Builder
	fmt.Fprintf(&b, "%% Needs \\usepackage{booktabs}. %s.\n", printable(r.caption(TableOptions{})))
	fmt.Fprintf(&b, "\\begin{tabular}{ll%s}\n\\toprule\n", strings.Repeat("rr", len(columns)))
	var names, rules, rates []string
	for i, c := range columns {
		names = append(names, fmt.Sprintf("\\multicolumn{2}{c}{%s}", latex(c.title)))
		rules = append(rules, fmt.Sprintf("\\cmidrule(lr){%d-%d}", 2*i+3, 2*i+4))
		rates = append(rates, "FPR95 $\\downarrow$ & AUROC $\\uparrow$")
	}
	fmt.Fprintf(&b, " & & %s \\\\\n%s\nMethod & Parameters & %s \\\\\n\\midrule\n", strings.Join(names, " & "),
		strings.Join(rules, " "), strings.Join(rates, " & "))
	for i, m := range r.Methods {
		fmt.Fprintf(&b, "%s & %s", latex(m.Name), latex(FormatParams(m.Params)))
		for _, c := range columns {
			x := c.cells[i]
			fmt.Fprintf(&b, " & %s & %s", latexRate(x.FPR95, x.FPR95Spread, x.BestFPR95)+latexTies(x.TieAware),
				latexRate(x.AUROC, x.AUROCSpread, x.BestAUROC))
		}
		b.WriteString(" \\\\\n")
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// latexTies adds the tie-aware rate after FPR95, "" where there is none.
func latexTies(rate string) string {
	if rate == "" {
		return ""
	}
	return " [" + rate + "]"
}

func latexRate(rate, spread string, best bool) string {
	if best {
		rate = "\\textbf{" + rate + "}"
	}
	if spread != "" {
		rate += " {\\scriptsize $\\pm$ " + spread + "}"
	}
	return rate
}

var latexEscapes = strings.NewReplacer(
	`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "%", `\%`, "_", `\_`,
	"^", `\textasciicircum{}`, "~", `\textasciitilde{}`, "<", `\textless{}`, ">", `\textgreater{}`, "|", `\textbar{}`,
	`"`, `{\ttfamily\char34}`,
	"`", `\textasciigrave{}`, "'", `\textquotesingle{}`, "--", `-{}-`, "[", `{[}`, "]", `{]}`, "*", `{*}`,
)

// latex makes a name safe in LaTeX text. Hyphens do not become dashes, and nothing at the start of a cell or a row is
// taken for an option.
func latex(name string) string { return latexEscapes.Replace(printable(name)) }
