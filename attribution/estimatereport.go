package attribution

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"github.com/line-ood/goline/attribution/internal/numfmt"
)

// MarshalJSON writes the estimate with lower-case keys; NaN and ±Inf become null.
func (e Estimate) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Method      string        `json:"method"`
		Names       []string      `json:"names,omitempty"`
		Values      []numfmt.JSON `json:"values"`
		StdErr      []numfmt.JSON `json:"std_err"`
		DF          []numfmt.JSON `json:"df,omitempty"`
		Samples     int           `json:"samples"`
		Evaluations int64         `json:"evaluations"`
		Forwards    numfmt.JSON   `json:"forwards"`
		Backwards   numfmt.JSON   `json:"backwards"`
		Equivalents numfmt.JSON   `json:"forward_equivalents"`
		Empty       numfmt.JSON   `json:"empty"`
		Full        numfmt.JSON   `json:"full"`
		Residual    numfmt.JSON   `json:"efficiency_residual"`
		Seconds     numfmt.JSON   `json:"seconds"`
		Stopped     Stop          `json:"stopped"`
	}{e.Method, e.Names, numfmt.JSONs(e.Values), numfmt.JSONs(e.StdErr), numfmt.JSONs(e.DF), e.Samples, e.Evaluations,
		numfmt.JSON(e.Forwards), numfmt.JSON(e.Backwards), numfmt.JSON(e.Equivalents), numfmt.JSON(e.Empty),
		numfmt.JSON(e.Full),
		numfmt.JSON(e.Residual), numfmt.JSON(e.Seconds), e.Stopped})
}

// WriteCSV writes one line for each player, with a header: index, name, value, standard error and the ends of the
// interval at the level.
func (e *Estimate) WriteCSV(w io.Writer, level float64) error {
	out := csv.NewWriter(w)
	// csv.Writer keeps the first error for Error
	_ = out.Write([]string{"player", "name", "value", "std_err", "lo", "hi"})
	for i, v := range e.Values {
		name := ""
		if e.Names != nil {
			name = e.Names[i]
		}
		lo, hi := e.Interval(i, level)
		_ = out.Write([]string{strconv.Itoa(i), name, numfmt.Text(v), numfmt.Text(e.StdErr[i]), numfmt.Text(lo),
			numfmt.Text(hi)})
	}
	out.Flush()
	return out.Error()
}
