package attribute

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/line/report"
)

// downstreamReport writes the results of "attribute downstream". Rates are in percent, changes in percentage points.
type downstreamReport struct {
	command *downstreamCommand
	result  *downstream.Result
	partial bool
}

// percent formats a rate in [0, 1] in percent, with two decimals.
func percent(v float64) string { return fmt.Sprintf("%.2f", 100*v) }

// change formats the change of a rate in percentage points, with the standard deviation over seeds where there are
// several.
func change(s downstream.Spread) string {
	text := fmt.Sprintf("%+.2f", 100*s.Mean)
	if !math.IsNaN(s.Deviation) {
		text += fmt.Sprintf(" ±%.2f", 100*s.Deviation)
	}
	return text
}

// share formats a mean fraction, followed by its standard deviation where that is known.
func share(s downstream.Spread) string {
	text := fmt.Sprintf("%.3f", s.Mean)
	if !math.IsNaN(s.Deviation) {
		text += fmt.Sprintf(" ±%.3f", s.Deviation)
	}
	return text
}

// print writes the reference and a table of the changes.
func (r *downstreamReport) print(w io.Writer) error {
	header := []string{"gradient × activation of the logit"}
	fpr, auroc := table.Row{"FPR95"}, table.Row{"AUROC"}
	for _, d := range r.result.Reference {
		header = append(header, d.Set)
		fpr, auroc = append(fpr, percent(d.FPR95)), append(auroc, percent(d.AUROC))
	}
	t := command.NewTable(1, header...)
	t.AppendRows([]table.Row{fpr, auroc})
	fmt.Fprintln(w, t.Render())

	header = []string{"value", "estimator", "budget", "spent", "neurons", "weights"}
	for _, d := range r.result.Reference {
		header = append(header, d.Set)
	}
	t = command.NewTable(2, header...)
	var last downstream.Cell
	for _, c := range r.result.Cells() {
		same := c.Game == last.Game && c.Estimator == last.Estimator && c.Runs > 0 && last.Runs > 0 &&
			c.Equivalents == last.Equivalents
		if last = c; same { // as with the smaller budget
			continue
		}
		row := table.Row{c.Game, c.Estimator, figure(c.Budget)}
		if c.Runs == 0 {
			t.AppendRow(append(row, "skipped"))
			continue
		}
		row = append(row, figure(c.Equivalents/float64(r.command.Data.Fit.N)), share(c.NeuronOverlap),
			share(c.WeightOverlap))
		for _, d := range c.Detections {
			if d.Set == downstream.Average {
				row = append(row, change(d.DeltaFPR95)+" / "+change(d.DeltaAUROC))
				continue
			}
			row = append(row, fmt.Sprintf("%+.1f / %+.2f", 100*d.DeltaFPR95.Mean, 100*d.DeltaAUROC.Mean))
		}
		t.AppendRow(row)
	}
	fmt.Fprintln(w, t.Render())
	_, err := fmt.Fprintf(w,
		"change of FPR95 / AUROC in points ± standard deviation over seeds; neurons, weights: Jaccard overlap of "+
			"what is kept;\n"+
			"budget and spent: forward-equivalents for each of %d training images; removal: %s; LINe: %s\n",
		r.command.Data.Fit.N, r.command.removal, report.FormatParams(r.command.LINeOptions.Params()))
	if err == nil && r.partial {
		_, err = fmt.Fprintln(w, "partial: interrupted before all runs were done")
	}
	return err
}

// writeCSV writes one line for each run and set, the average included, and one for each skipped run.
func (r *downstreamReport) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"value", "estimator", "budget", "seed", "samples", "forwards", "backwards",
		"forward_equivalents", "seconds",
		"neuron_overlap", "weight_overlap", "set", "fpr95", "auroc", "delta_fpr95", "delta_auroc", "skipped", "partial"}
	_ = out.Write(header) // the writer keeps its errors until Error
	for _, run := range r.result.Runs {
		common := []string{run.Game, run.Estimator, exactly(run.Budget), strconv.FormatUint(run.Seed, 10),
			strconv.Itoa(run.Samples), exactly(run.Forwards),
			exactly(run.Backwards), exactly(run.Equivalents), exactly(run.Seconds), exactly(run.NeuronOverlap),
			exactly(run.WeightOverlap)}
		partial := strconv.FormatBool(r.partial)
		if run.Skipped != "" {
			_ = out.Write(append(common, "", "", "", "", "", run.Skipped, partial))
		}
		for _, d := range run.Detections {
			row := append(common[:len(common):len(common)], d.Set, exactly(100*d.FPR95), exactly(100*d.AUROC),
				exactly(100*d.DeltaFPR95),
				exactly(100*d.DeltaAUROC), "", partial)
			_ = out.Write(row)
		}
	}
	out.Flush()
	return out.Error()
}

// The types below are the JSON form, with stable keys.
type rateJSON struct {
	FPR95      jsonNumber `json:"fpr95"`
	AUROC      jsonNumber `json:"auroc"`
	DeltaFPR95 jsonNumber `json:"delta_fpr95"`
	DeltaAUROC jsonNumber `json:"delta_auroc"`
}

type downstreamRunJSON struct {
	Value         string              `json:"value"`
	Estimator     string              `json:"estimator"`
	Budget        jsonNumber          `json:"budget"`
	Seed          uint64              `json:"seed"`
	Deterministic bool                `json:"deterministic"`
	Samples       int                 `json:"samples"`
	Forwards      jsonNumber          `json:"forwards"`
	Backwards     jsonNumber          `json:"backwards"`
	Equivalents   jsonNumber          `json:"forward_equivalents"`
	Seconds       jsonNumber          `json:"seconds"`
	NeuronOverlap jsonNumber          `json:"neuron_overlap"`
	WeightOverlap jsonNumber          `json:"weight_overlap"`
	OOD           map[string]rateJSON `json:"ood,omitempty"`
	Skipped       string              `json:"skipped,omitempty"`
}

func rates(detections []downstream.Detection) map[string]rateJSON {
	out := map[string]rateJSON{}
	for _, d := range detections {
		out[d.Set] = rateJSON{jsonNumber(100 * d.FPR95), jsonNumber(100 * d.AUROC), jsonNumber(100 * d.DeltaFPR95),
			jsonNumber(100 * d.DeltaAUROC)}
	}
	return out
}

func (r *downstreamReport) writeJSON(w io.Writer) error {
	runs := []downstreamRunJSON{}
	for _, run := range r.result.Runs {
		runs = append(runs, downstreamRunJSON{run.Game, run.Estimator, jsonNumber(run.Budget), run.Seed,
			run.Deterministic, run.Samples,
			jsonNumber(run.Forwards), jsonNumber(run.Backwards), jsonNumber(run.Equivalents), jsonNumber(run.Seconds),
			jsonNumber(run.NeuronOverlap), jsonNumber(run.WeightOverlap), rates(run.Detections), run.Skipped})
	}
	c := r.command
	return command.WriteJSON(w, struct {
		Net       string              `json:"net"`
		Weights   string              `json:"weights_sha256"`
		Fit       string              `json:"fit"`
		FitImages int                 `json:"fit_images"`
		ID        string              `json:"id"`
		Params    map[string]any      `json:"params"`
		Removal   string              `json:"removal"`
		Seed      uint64              `json:"seed"`
		Partial   bool                `json:"partial"`
		Reference map[string]rateJSON `json:"reference"`
		Runs      []downstreamRunJSON `json:"runs"`
	}{c.Network.Name(), c.WeightsSHA, c.Fit, c.Data.Fit.N, c.ID, c.LINeOptions.Params(), c.removal, c.Seed, r.partial,
		rates(r.result.Reference), runs})
}
