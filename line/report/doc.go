// Package report presents the results of an evaluation: as JSON and CSV for programs, as tables for a terminal, LaTeX
// or a Markdown page, and as one self-contained HTML file with curves, histograms and pictures. It does not compute
// scores.
//
// In memory every rate is a fraction in [0, 1]; everything written is in percent. Methods and OOD sets keep the order
// in which they are given. Names come from users and are escaped in all output.
//
//	result := found.Report(net.Name(), report.Weights{}) // of an eval.Result, or a report.Result of one's own
//	table, err := result.Table(report.Text, true)        // or Markdown, HTML
//	err = result.WriteHTML(file, scores, report.Provenance{Command: "my program"})
//	figure, err := report.ROC("svhn", []report.Curve{{Name: "line", ID: id, OOD: ood}})
//	_, err = figure.WriteTo(picture) // PNG; figure.SVG() for SVG
//
// Of this module it imports line/metrics; package eval makes what it renders.
package report
