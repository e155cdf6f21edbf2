package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/line/report"
)

// write puts the result where the flags say. Files come first: a pipe that breaks must not lose them. Files that cannot be
// written do not keep the table from being printed.
func (e *evaluation) write(r report.Result, scores []report.Scores) error {
	table, err := r.Table(report.Text, isTerminal(e.out))
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{e.jsonOut, r.WriteJSON},
		{e.csvOut, r.WriteCSV},
		{e.htmlOut, func(w io.Writer) error { return r.WriteHTML(w, scores, e.provenance()) }},
	} {
		if o.path != "" {
			errs = append(errs, atomicfile.Write(o.path, o.write))
		}
	}
	_, err = fmt.Fprintln(e.out, table)
	return errors.Join(append(errs, err)...)
}

// provenance says where a report comes from, beyond what the result holds.
func (e *evaluation) provenance() report.Provenance {
	v := readVersion()
	facts := []report.Fact{{Name: "Fitted to", Value: e.fit}, {Name: "ID set", Value: e.id}}
	for i, name := range e.oodNames {
		facts = append(facts, report.Fact{Name: "OOD set " + name, Value: e.oodSpecs[i]})
	}
	return report.Provenance{Command: e.command, Facts: append(facts,
		report.Fact{Name: "goline", Value: v.release()},
		report.Fact{Name: "Built with", Value: fmt.Sprintf("%s, gorgonia %s", v.Go, v.Gorgonia)},
		report.Fact{Name: "Ran on", Value: fmt.Sprintf("%s, kernels %s", v.Platform, v.Kernels)},
	)}
}
