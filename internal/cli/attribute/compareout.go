package attribute

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
)

// compareReport writes the results of "attribute compare".
type compareReport struct {
	stage      *stage
	command    *compareCommand
	study      compare.Study
	comparison *compare.Comparison
	shown      []attribution.Estimate
	partial    bool
}

// print writes two tables: the relative error at every budget, and all measures at the largest.
func (r *compareReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s of %s, %d games of %d players; truth: %s\n\n", r.command.gameFlags.value, r.stage.layer,
		len(r.study.Subjects),
		r.study.Subjects[0].Game.Players(), r.truthText())
	fmt.Fprintf(w,
		"root mean squared error with 95 %% band, in percent of the root mean square of the true values, by budget "+
			"in\n"+
			"forward-equivalents (a backward counts %s)\n", figure(r.comparison.BackwardCost))
	header := []string{"estimator"}
	for _, b := range r.command.budgets {
		header = append(header, figure(b))
	}
	t := command.NewTable(1, header...)
	for _, name := range r.names() {
		row := table.Row{name}
		for _, b := range r.command.budgets {
			row = append(row, r.cellText(name, b))
		}
		t.AppendRow(row)
	}
	fmt.Fprintf(w, "%s\n\nwith a budget of %s\n", t.Render(), figure(slices.Max(r.command.budgets)))
	header = []string{"estimator", "spent"}
	for _, m := range compare.Metrics() {
		header = append(header, m.String())
	}
	t = command.NewTable(1, header...)
	for _, name := range r.names() {
		cell := r.cell(name, slices.Max(r.command.budgets))
		if cell == nil || cell.Runs == 0 {
			continue
		}
		row := table.Row{name, figure(cell.Equivalents)}
		for _, m := range compare.Metrics() {
			row = append(row, figure(cell.Bands[m].Mean))
		}
		t.AppendRow(row)
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if err := r.printAgreement(w); err != nil {
		return err
	}
	for _, m := range r.study.Imported {
		used := 0
		for _, b := range r.command.budgets {
			if cell := r.cell(m.Estimator, b); cell != nil {
				used += cell.Runs
			}
		}
		if used < m.Rows() && !r.partial {
			if _, err := fmt.Fprintf(w, "%s: %d of %d estimates; the others are of other games or budgets\n",
				m.Estimator, used, m.Rows()); err != nil {
				return err
			}
		}
	}
	if r.partial {
		_, err := fmt.Fprintln(w, "partial: interrupted before all runs were done")
		return err
	}
	return nil
}

// printAgreement writes how similar the estimates of several seeds are, if there are several seeds.
func (r *compareReport) printAgreement(w io.Writer) error {
	t := command.NewTable(1, "estimator", "seeds", "spearman", fmt.Sprintf("overlap of %d largest", r.comparison.K),
		"sign_agreement", "spread, %")
	largest := slices.Max(r.command.budgets)
	any := false
	for _, name := range r.names() {
		if a, ok := r.comparison.MeanAgreement(name, largest); ok {
			t.AppendRow(table.Row{name, a.Seeds, figure(a.Rank), figure(a.Top), figure(a.Sign), figure(100 * a.Spread)})
			any = true
		}
	}
	if !any {
		return nil
	}
	_, err := fmt.Fprintf(w,
		"\nagreement of seeds with a budget of %s, means over games and pairs of seeds; spread is the standard "+
			"deviation over seeds\n%s\n",
		figure(largest), t.Render())
	return err
}

// names returns the names of all estimators that were compared, imported ones last.
func (r *compareReport) names() (out []string) {
	for _, e := range r.study.Estimators {
		out = append(out, e.Name())
	}
	for _, m := range r.study.Imported {
		out = append(out, m.Estimator)
	}
	return out
}

func (r *compareReport) cell(estimator string, budget float64) *compare.Cell {
	for i := range r.comparison.Cells {
		if c := &r.comparison.Cells[i]; c.Estimator == estimator && c.Budget == budget {
			return c
		}
	}
	return nil
}

func (r *compareReport) cellText(estimator string, budget float64) string {
	c := r.cell(estimator, budget)
	if c == nil || c.Runs == 0 {
		return "–"
	}
	b := c.Bands[compare.MSE]
	percent := func(mse float64) float64 { return 100 * math.Sqrt(mse/r.size()) }
	text := fmt.Sprintf("%.3g", percent(b.Mean))
	if !math.IsNaN(b.Lo) {
		text += fmt.Sprintf(" [%.3g, %.3g]", percent(b.Lo), percent(b.Hi))
	}
	if c.Skipped > 0 { // the mean is over fewer games than that of other lines
		text += fmt.Sprintf(" (%d of %d runs)", c.Runs, c.Runs+c.Skipped)
	}
	return text
}

// size returns the mean square of the true values over all games.
func (r *compareReport) size() float64 {
	total := 0.0
	for _, s := range r.study.Subjects {
		total += truthSize(s.Truth) / float64(len(r.study.Subjects))
	}
	return total
}

// truthNoise returns the mean squared standard error of the truth over its players, 0 for an exact truth. truthSize
// returns the mean square of the truth's values, with which errors are compared.
func truthNoise(t compare.Truth) float64 { return meanSquare(t.StdErr) }
func truthSize(t compare.Truth) float64  { return meanSquare(t.Values) }

func meanSquare(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	total := 0.0
	for _, v := range x {
		total += v * v
	}
	return total / float64(len(x))
}

func (r *compareReport) truthText() string {
	var methods []string
	noise := 0.0
	for _, s := range r.study.Subjects {
		if !slices.Contains(methods, s.Truth.Method) {
			methods = append(methods, s.Truth.Method)
		}
		noise += truthNoise(s.Truth) / float64(len(r.study.Subjects))
	}
	text := strings.Join(methods, ", ")
	if noise > 0 {
		text += fmt.Sprintf(" with up to %s forwards, its own error %.2g %%", figure(r.command.truthBudget),
			100*math.Sqrt(noise/r.size()))
	}
	return text + fmt.Sprintf("; root mean square of the true values %s", figure(math.Sqrt(r.size())))
}

// write writes all files. A file that fails does not prevent the others from being written.
func (r *compareReport) write(dir string) error {
	name := func(file string) string {
		if r.partial {
			file = partialName(file)
		}
		return filepath.Join(dir, file)
	}
	errs := []error{
		atomicfile.Write(name("runs.csv"), r.comparison.WriteRuns),
		atomicfile.Write(name("cells.csv"), r.comparison.WriteCells),
		atomicfile.Write(name("truth.csv"), r.writeTruth),
		atomicfile.Write(name("agreement.csv"), r.comparison.WriteAgreements),
		atomicfile.Write(name("comparison.json"), r.writeJSON),
	}
	for _, f := range r.figures() {
		for ext, drawing := range map[string]io.WriterTo{".png": f.figure.PNG(), ".svg": f.figure.SVG()} {
			errs = append(errs, atomicfile.Write(name(f.name+ext), func(w io.Writer) error {
				_, err := drawing.WriteTo(w)
				return err
			}))
		}
	}
	return errors.Join(errs...)
}

type namedFigure struct {
	name   string
	figure *compare.Figure
}

// figures draws all figures for which there is data: a measure without any value gets no figure.
func (r *compareReport) figures() (out []namedFigure) {
	title := r.title()
	add := func(name string, f *compare.Figure, err error) {
		if err == nil {
			out = append(out, namedFigure{name, f.Titled(title)})
		}
	}
	for _, m := range compare.Metrics() {
		name := m.String()
		if m == compare.MSE {
			name = "error"
			f, err := compare.ErrorVersusCost(r.comparison, m, compare.Seconds)
			add("seconds", f, err)
		}
		f, err := compare.ErrorVersusCost(r.comparison, m, compare.Equivalents)
		add(name, f, err)
	}
	if len(r.shown) == 0 {
		return out
	}
	truth := r.study.Subjects[0].Truth.Values
	f, err := compare.Overlap(truth, r.shown, 0)
	add("overlap", f, err)
	for _, e := range r.shown {
		f, err := compare.Scatter(truth, []attribution.Estimate{e}, intervalLevel)
		add("scatter-"+e.Method, f, err)
	}
	return out
}

// title returns the title of the figures.
func (r *compareReport) title() string {
	s := r.stage.setting(len(r.study.Subjects))
	return fmt.Sprintf("%s, %s, %s: Shapley values of %s", s.Net, s.Layer, s.Players, s.Value)
}

// writeTruth writes one line for each player of each game.
func (r *compareReport) writeTruth(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"subject", "method", "player", "value", "std_err"}) // errors are kept until Error
	for _, s := range r.study.Subjects {
		for i, v := range s.Truth.Values {
			se := "0"
			if s.Truth.StdErr != nil {
				se = exactly(s.Truth.StdErr[i])
			}
			_ = out.Write([]string{s.Name, s.Truth.Method, fmt.Sprint(i), exactly(v), se})
		}
	}
	out.Flush()
	return out.Error()
}

// truthJSON is a game's truth in JSON, with stable keys.
type truthJSON struct {
	Subject    string     `json:"subject"`
	Method     string     `json:"method"`
	MeanSquare jsonNumber `json:"mean_square"`
	Noise      jsonNumber `json:"mean_squared_std_err"`
}

func (r *compareReport) writeJSON(w io.Writer) error {
	truth := make([]truthJSON, len(r.study.Subjects))
	for i, s := range r.study.Subjects {
		truth[i] = truthJSON{s.Name, s.Truth.Method, jsonNumber(truthSize(s.Truth)), jsonNumber(truthNoise(s.Truth))}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(struct {
		Setting     setting             `json:"setting"`
		Seeds       []uint64            `json:"seeds"`
		Budgets     []float64           `json:"budgets"`
		TruthBudget jsonNumber          `json:"truth_budget"`
		Partial     bool                `json:"partial"`
		Truth       []truthJSON         `json:"truth"`
		Comparison  *compare.Comparison `json:"comparison"`
	}{r.stage.setting(len(truth)), r.study.Seeds, r.command.budgets, jsonNumber(r.command.truthBudget), r.partial,
		truth, r.comparison})
}

// compareFiles returns the names of all files that a comparison may write.
func compareFiles(estimators []string) []string {
	names := []string{"runs.csv", "cells.csv", "truth.csv", "agreement.csv", "comparison.json"}
	figures := []string{"error", "seconds", "overlap"}
	for _, m := range compare.Metrics() {
		figures = append(figures, m.String())
	}
	for _, e := range estimators {
		figures = append(figures, "scatter-"+e)
	}
	for _, f := range figures {
		names = append(names, f+".png", f+".svg")
	}
	for _, name := range slices.Clone(names) {
		names = append(names, partialName(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// partialName returns the name that a file gets when the comparison is interrupted.
func partialName(file string) string {
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + ".partial" + ext
}
