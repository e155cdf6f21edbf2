package attribution

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
)

// WriteRuns writes one line of CSV for each run, with a header. Undefined numbers are empty.
func (c *Comparison) WriteRuns(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"estimator", "budget", "subject", "seed", "samples", "evaluations", "forwards", "backwards",
		"forward_equivalents", "seconds", "stopped"}
	header = append(header, metricNames[:]...)
	if err := out.Write(append(header, "skipped")); err != nil {
		return err
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		line := []string{r.Estimator, number(r.Budget), r.Subject, strconv.FormatUint(r.Seed, 10), strconv.Itoa(r.Samples),
			strconv.FormatInt(r.Evaluations, 10), number(r.Forwards), number(r.Backwards), number(r.Equivalents), number(r.Seconds),
			string(r.Stopped)}
		for _, v := range r.Scores {
			line = append(line, number(v))
		}
		if err := out.Write(append(line, r.Skipped)); err != nil {
			return err
		}
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
	if err := out.Write(header); err != nil {
		return err
	}
	for i := range c.Cells {
		cell := &c.Cells[i]
		line := []string{cell.Estimator, number(cell.Budget), strconv.Itoa(cell.Runs), strconv.Itoa(cell.Skipped),
			number(cell.Equivalents), number(cell.Seconds)}
		for _, b := range cell.Bands {
			line = append(line, number(b.Mean), number(b.Lo), number(b.Hi))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// number formats a number in the fewest digits that read back the same, and NaN as nothing.
func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// jsonNumber is a number that JSON can hold: NaN and ±Inf become null.
type jsonNumber float64

func (n jsonNumber) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func jsonNumbers(x []float64) []jsonNumber {
	if x == nil {
		return nil
	}
	out := make([]jsonNumber, len(x))
	for i, v := range x {
		out[i] = jsonNumber(v)
	}
	return out
}

// MarshalJSON writes the estimate with lower-case keys; NaN and ±Inf become null.
func (e Estimate) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Method      string       `json:"method"`
		Names       []string     `json:"names,omitempty"`
		Values      []jsonNumber `json:"values"`
		StdErr      []jsonNumber `json:"std_err"`
		DF          []jsonNumber `json:"df,omitempty"`
		Samples     int          `json:"samples"`
		Evaluations int64        `json:"evaluations"`
		Forwards    jsonNumber   `json:"forwards"`
		Backwards   jsonNumber   `json:"backwards"`
		Equivalents jsonNumber   `json:"forward_equivalents"`
		Empty       jsonNumber   `json:"empty"`
		Full        jsonNumber   `json:"full"`
		Residual    jsonNumber   `json:"efficiency_residual"`
		Seconds     jsonNumber   `json:"seconds"`
		Stopped     Stop         `json:"stopped"`
	}{e.Method, e.Names, jsonNumbers(e.Values), jsonNumbers(e.StdErr), jsonNumbers(e.DF), e.Samples, e.Evaluations,
		jsonNumber(e.Forwards), jsonNumber(e.Backwards), jsonNumber(e.Equivalents), jsonNumber(e.Empty), jsonNumber(e.Full),
		jsonNumber(e.Residual), jsonNumber(e.Seconds), e.Stopped})
}

// WriteCSV writes one line for each player, with a header: index, name, value, standard error and the ends of the
// interval at the level.
func (e *Estimate) WriteCSV(w io.Writer, level float64) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"player", "name", "value", "std_err", "lo", "hi"}); err != nil {
		return err
	}
	for i, v := range e.Values {
		name := ""
		if e.Names != nil {
			name = e.Names[i]
		}
		lo, hi := e.Interval(i, level)
		if err := out.Write([]string{strconv.Itoa(i), name, number(v), number(e.StdErr[i]), number(lo), number(hi)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// bandJSON and the types below fix the keys of the JSON form.
type bandJSON struct {
	Mean jsonNumber `json:"mean"`
	Lo   jsonNumber `json:"lo"`
	Hi   jsonNumber `json:"hi"`
}

type cellJSON struct {
	Estimator   string              `json:"estimator"`
	Budget      jsonNumber          `json:"budget"`
	Runs        int                 `json:"runs"`
	Skipped     int                 `json:"skipped"`
	Equivalents jsonNumber          `json:"forward_equivalents"`
	Seconds     jsonNumber          `json:"seconds"`
	Metrics     map[string]bandJSON `json:"metrics"`
}

type runJSON struct {
	Estimator   string                `json:"estimator"`
	Budget      jsonNumber            `json:"budget"`
	Subject     string                `json:"subject"`
	Seed        uint64                `json:"seed"`
	Samples     int                   `json:"samples"`
	Evaluations int64                 `json:"evaluations"`
	Forwards    jsonNumber            `json:"forwards"`
	Backwards   jsonNumber            `json:"backwards"`
	Equivalents jsonNumber            `json:"forward_equivalents"`
	Seconds     jsonNumber            `json:"seconds"`
	Stopped     Stop                  `json:"stopped,omitempty"`
	Skipped     string                `json:"skipped,omitempty"`
	Metrics     map[string]jsonNumber `json:"metrics"`
	Values      []jsonNumber          `json:"values,omitempty"`
	StdErr      []jsonNumber          `json:"std_err,omitempty"`
}

// MarshalJSON writes settings, cells and runs with lower-case keys, metrics by name; NaN becomes null.
func (c *Comparison) MarshalJSON() ([]byte, error) {
	cells, runs := make([]cellJSON, len(c.Cells)), make([]runJSON, len(c.Runs))
	for i, cell := range c.Cells {
		metrics := map[string]bandJSON{}
		for m, b := range cell.Bands {
			metrics[metricNames[m]] = bandJSON{jsonNumber(b.Mean), jsonNumber(b.Lo), jsonNumber(b.Hi)}
		}
		cells[i] = cellJSON{cell.Estimator, jsonNumber(cell.Budget), cell.Runs, cell.Skipped, jsonNumber(cell.Equivalents),
			jsonNumber(cell.Seconds), metrics}
	}
	for i, r := range c.Runs {
		metrics := map[string]jsonNumber{}
		for m, v := range r.Scores {
			metrics[metricNames[m]] = jsonNumber(v)
		}
		runs[i] = runJSON{r.Estimator, jsonNumber(r.Budget), r.Subject, r.Seed, r.Samples, r.Evaluations, jsonNumber(r.Forwards),
			jsonNumber(r.Backwards), jsonNumber(r.Equivalents), jsonNumber(r.Seconds), r.Stopped, r.Skipped, metrics,
			jsonNumbers(r.Values), jsonNumbers(r.StdErr)}
	}
	return json.Marshal(struct {
		K            int        `json:"k"`
		Level        float64    `json:"level"`
		BackwardCost float64    `json:"backward_cost"`
		Cells        []cellJSON `json:"cells"`
		Runs         []runJSON  `json:"runs"`
	}{c.K, c.Level, c.BackwardCost, cells, runs})
}

// WriteJSON writes the comparison as indented JSON.
func (c *Comparison) WriteJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(c)
}
