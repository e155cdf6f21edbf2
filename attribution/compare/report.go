package compare

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/numfmt"
)

// WriteRuns writes one line of CSV for each run, with a header. Undefined numbers are empty.
func (c *Comparison) WriteRuns(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"estimator", "budget", "subject", "seed", "samples", "evaluations", "forwards", "backwards",
		"forward_equivalents", "seconds", "stopped"}
	header = append(header, metricNames[:]...)
	_ = out.Write(append(header, "skipped")) // csv.Writer keeps the first error for Error
	for i := range c.Runs {
		r := &c.Runs[i]
		line := []string{r.Estimator, numfmt.Text(r.Budget), r.Subject, strconv.FormatUint(r.Seed, 10),
			strconv.Itoa(r.Samples),
			strconv.FormatInt(r.Evaluations, 10), numfmt.Text(r.Forwards), numfmt.Text(r.Backwards),
			numfmt.Text(r.Equivalents), numfmt.Text(r.Seconds),
			string(r.Stopped)}
		for _, v := range r.Scores {
			line = append(line, numfmt.Text(v))
		}
		_ = out.Write(append(line, r.Skipped))
	}
	out.Flush()
	return out.Error()
}

// WriteCells writes one line of CSV for each estimator and budget, with a header: for every metric its mean and the
// ends of its bootstrap band. Undefined numbers are empty.
func (c *Comparison) WriteCells(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"estimator", "budget", "runs", "skipped", "forward_equivalents", "seconds"}
	for _, m := range metricNames {
		header = append(header, m, m+"_lo", m+"_hi")
	}
	_ = out.Write(header)
	for i := range c.Cells {
		cell := &c.Cells[i]
		line := []string{cell.Estimator, numfmt.Text(cell.Budget), strconv.Itoa(cell.Runs), strconv.Itoa(cell.Skipped),
			numfmt.Text(cell.Equivalents), numfmt.Text(cell.Seconds)}
		for _, b := range cell.Bands {
			line = append(line, numfmt.Text(b.Mean), numfmt.Text(b.Lo), numfmt.Text(b.Hi))
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// bandJSON and the types below fix the keys of the JSON form.
type bandJSON struct {
	Mean numfmt.JSON `json:"mean"`
	Lo   numfmt.JSON `json:"lo"`
	Hi   numfmt.JSON `json:"hi"`
}

type cellJSON struct {
	Estimator   string              `json:"estimator"`
	Budget      numfmt.JSON         `json:"budget"`
	Runs        int                 `json:"runs"`
	Skipped     int                 `json:"skipped"`
	Equivalents numfmt.JSON         `json:"forward_equivalents"`
	Seconds     numfmt.JSON         `json:"seconds"`
	Metrics     map[string]bandJSON `json:"metrics"`
}

type runJSON struct {
	Estimator   string                 `json:"estimator"`
	Budget      numfmt.JSON            `json:"budget"`
	Subject     string                 `json:"subject"`
	Seed        uint64                 `json:"seed"`
	Samples     int                    `json:"samples"`
	Evaluations int64                  `json:"evaluations"`
	Forwards    numfmt.JSON            `json:"forwards"`
	Backwards   numfmt.JSON            `json:"backwards"`
	Equivalents numfmt.JSON            `json:"forward_equivalents"`
	Seconds     numfmt.JSON            `json:"seconds"`
	Stopped     attribution.Stop       `json:"stopped,omitempty"`
	Skipped     string                 `json:"skipped,omitempty"`
	Metrics     map[string]numfmt.JSON `json:"metrics"`
}

// MarshalJSON writes settings, cells and runs with lower-case keys, metrics by name; NaN becomes null.
func (c *Comparison) MarshalJSON() ([]byte, error) {
	cells, runs := make([]cellJSON, len(c.Cells)), make([]runJSON, len(c.Runs))
	for i, cell := range c.Cells {
		metrics := map[string]bandJSON{}
		for m, b := range cell.Bands {
			metrics[metricNames[m]] = bandJSON{numfmt.JSON(b.Mean), numfmt.JSON(b.Lo), numfmt.JSON(b.Hi)}
		}
		cells[i] = cellJSON{cell.Estimator, numfmt.JSON(cell.Budget), cell.Runs, cell.Skipped,
			numfmt.JSON(cell.Equivalents),
			numfmt.JSON(cell.Seconds), metrics}
	}
	for i, r := range c.Runs {
		metrics := map[string]numfmt.JSON{}
		for m, v := range r.Scores {
			metrics[metricNames[m]] = numfmt.JSON(v)
		}
		runs[i] = runJSON{r.Estimator, numfmt.JSON(r.Budget), r.Subject, r.Seed, r.Samples, r.Evaluations,
			numfmt.JSON(r.Forwards),
			numfmt.JSON(r.Backwards), numfmt.JSON(r.Equivalents), numfmt.JSON(r.Seconds), r.Stopped, r.Skipped, metrics}
	}
	var agreements []any
	for _, a := range c.Agreements {
		agreements = append(agreements, struct {
			Estimator string      `json:"estimator"`
			Budget    numfmt.JSON `json:"budget"`
			Subject   string      `json:"subject"`
			Seeds     int         `json:"seeds"`
			Rank      numfmt.JSON `json:"spearman"`
			Top       numfmt.JSON `json:"top_k_jaccard"`
			Sign      numfmt.JSON `json:"sign_agreement"`
			Spread    numfmt.JSON `json:"spread"`
		}{a.Estimator, numfmt.JSON(a.Budget), a.Subject, a.Seeds, numfmt.JSON(a.Rank), numfmt.JSON(a.Top),
			numfmt.JSON(a.Sign), numfmt.JSON(a.Spread)})
	}
	return json.Marshal(struct {
		K            int        `json:"k"`
		Level        float64    `json:"level"`
		BackwardCost float64    `json:"backward_cost"`
		Cells        []cellJSON `json:"cells"`
		Runs         []runJSON  `json:"runs"`
		Agreements   []any      `json:"agreements,omitempty"`
	}{c.K, c.Level, c.BackwardCost, cells, runs, agreements})
}

// WriteJSON writes the comparison as indented JSON.
func (c *Comparison) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(c)
}
