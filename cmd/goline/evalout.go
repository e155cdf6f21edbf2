package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/line/report"
)

// write puts the result where the flags say. Files that cannot be written do not keep the table from being printed.
func (e *evaluation) write(r report.Result) error {
	table, err := r.Table(report.Text, isTerminal(e.out))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, table)
	errs := []error{err}
	if e.jsonOut != "" {
		errs = append(errs, atomicfile.Write(e.jsonOut, r.WriteJSON))
	}
	if e.csvOut != "" {
		errs = append(errs, atomicfile.Write(e.csvOut, r.WriteCSV))
	}
	if e.htmlOut != "" {
		errs = append(errs, atomicfile.Write(e.htmlOut, func(w io.Writer) error {
			return r.WriteHTML(w, e.scores, e.provenance())
		}))
	}
	return errors.Join(errs...)
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
