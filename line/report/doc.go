// Package report presents the results of an evaluation: as JSON and CSV for programs, as a table for a terminal or a
// Markdown page, and as one self-contained HTML file with ROC curves and score histograms. It computes no score.
//
// In memory every rate is a fraction in [0, 1]; everything written shows percent. Methods and OOD sets keep the order
// in which they are given. Names come from users and are escaped in whatever is written.
//
// It builds on package metrics alone; package eval makes what it renders.
package report
