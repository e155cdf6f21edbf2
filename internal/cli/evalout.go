package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/report"
)

// write writes the result to the files that the flags name, then prints the tables: a broken pipe must not lose the
// files. Files that cannot be written do not prevent the tables from being printed.
func (e *evalCommand) write(r report.Result, scores []report.Scores, pictures []report.Pictures) error {
	tables, err := e.tables(r)
	if err != nil {
		return err
	}
	page := e.provenance()
	page.Pictures = pictures
	errs := []error{
		command.Write(e.jsonOut, r.WriteJSON), command.Write(e.csvOut, r.WriteCSV),
		command.Write(e.latexOut, r.WriteLaTeX), command.Write(e.markdownOut, r.WriteMarkdown),
		command.Write(e.htmlOut, func(w io.Writer) error { return r.WriteHTML(w, scores, page) }),
	}
	_, err = fmt.Fprintln(e.out, strings.Join(tables, "\n\n"))
	errs = append(errs, err)
	for _, p := range e.predictions() {
		_, err = fmt.Fprintln(e.out, "most often taken for, "+p.String())
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// tables returns the tables to print: rates, rates of the full spectrum, comparisons, times and memory.
func (e *evalCommand) tables(r report.Result) (tables []string, err error) {
	add := func(table string, failed error) {
		if err = errors.Join(err, failed); table != "" {
			tables = append(tables, table)
		}
	}
	o := report.TableOptions{Highlight: command.IsTerminal(e.out)}
	if e.fpr == "openood" {
		o.FPR = report.OpenOODFPR
	}
	add(r.TableWith(o))
	if r.FullSpectrum != nil {
		o.FullSpectrum = true
		add(r.TableWith(o))
	}
	add(r.ComparisonTable(report.Text))
	add(r.CostTable(report.Text))
	return tables, err
}

// predictions returns the most frequent predictions for the OOD sets, where the classes have names.
func (e *evalCommand) predictions() []report.Predictions {
	const top = 5
	names, err := e.Net.Names() // no error: the names have been read before
	if err != nil || names == nil {
		return nil
	}
	return e.Data.Predictions(names, top)
}

// provenance returns where the report comes from, as far as the result does not say it.
func (e *evalCommand) provenance() report.Provenance {
	v := readVersion()
	facts := []report.Fact{{Name: "Fitted to", Value: e.Fit}, {Name: "ID set", Value: e.ID}}
	for _, s := range e.CSID {
		facts = append(facts, report.Fact{Name: "Covariate-shifted ID set " + s.Name, Value: s.Spec})
	}
	for _, s := range e.Sets {
		name := "OOD set " + s.Name
		if s.Group != "" {
			name = fmt.Sprintf("OOD set %s (%s)", s.Name, s.Group)
		}
		facts = append(facts, report.Fact{Name: name, Value: s.Spec})
	}
	for _, file := range e.alsoWeights {
		facts = append(facts, report.Fact{Name: "Another checkpoint", Value: file})
	}
	facts = append(facts, e.tuning.facts()...)
	return report.Provenance{Command: e.command, Predictions: e.predictions(), Outcomes: e.Data.Outcomes(),
		Facts: append(facts,
			report.Fact{Name: "goline", Value: v.Release()},
			report.Fact{Name: "Built with", Value: fmt.Sprintf("%s, gorgonia %s", v.Go, v.Gorgonia)},
			report.Fact{Name: "Ran on", Value: fmt.Sprintf("%s, kernels %s", v.Platform, v.Kernels)},
		)}
}
