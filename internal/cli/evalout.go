package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/report"
)

// write puts the result where the flags say. Files come first: a pipe that breaks must not lose them. Files that cannot be
// written do not keep the table from being printed.
func (e *evalCommand) write(r report.Result, scores []report.Scores, pictures []report.Pictures) error {
	table, err := r.Table(report.Text, command.IsTerminal(e.out))
	if err != nil {
		return err
	}
	page := e.provenance()
	page.Pictures = pictures
	wrote := errors.Join(command.Write(e.jsonOut, r.WriteJSON), command.Write(e.csvOut, r.WriteCSV),
		command.Write(e.latexOut, r.WriteLaTeX), command.Write(e.markdownOut, r.WriteMarkdown),
		command.Write(e.htmlOut, func(w io.Writer) error { return r.WriteHTML(w, scores, page) }))
	_, err = fmt.Fprintln(e.out, table)
	errs := []error{wrote, err}
	for _, p := range e.predictions() {
		_, err = fmt.Fprintln(e.out, "most often taken for, "+p.String())
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// predictions says what the OOD sets are taken for where the classes have names.
func (e *evalCommand) predictions() []report.Predictions {
	const top = 5
	names, err := e.Net.Names() // they have been read before
	if err != nil || names == nil {
		return nil
	}
	return e.Data.Predictions(names, top)
}

// provenance says where a report comes from, beyond what the result holds.
func (e *evalCommand) provenance() report.Provenance {
	v := readVersion()
	facts := []report.Fact{{Name: "Fitted to", Value: e.Fit}, {Name: "ID set", Value: e.ID}}
	for _, s := range e.Sets {
		facts = append(facts, report.Fact{Name: "OOD set " + s.Name, Value: s.Spec})
	}
	return report.Provenance{Command: e.command, Predictions: e.predictions(), Outcomes: e.Data.Outcomes(), Facts: append(facts,
		report.Fact{Name: "goline", Value: v.release()},
		report.Fact{Name: "Built with", Value: fmt.Sprintf("%s, gorgonia %s", v.Go, v.Gorgonia)},
		report.Fact{Name: "Ran on", Value: fmt.Sprintf("%s, kernels %s", v.Platform, v.Kernels)},
	)}
}
