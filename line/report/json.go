package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/line-ood/goline/line/metrics"
)

// WriteJSON writes the result as indented JSON with a final newline; see MarshalJSON.
func (r Result) WriteJSON(w io.Writer) error {
	compact, err := r.MarshalJSON()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}

// MarshalJSON validates the result and encodes it. Rates are in percent, rounded to nine decimals. Methods and OOD
// sets are objects whose members keep the order of the slices. An unknown accuracy (NaN) becomes null; any other
// number that JSON cannot represent is an error. Where there are intervals, a rate such as "fpr95" is accompanied by
// "fpr95_ci": [lo, hi], and the result by "bootstrap": {"resamples", "level"}. What a result does not have is left
// out: "csid" and "full_spectrum" (each ID set with its accuracy, and a method's rates), "checkpoints" (with standard
// deviations such as "fpr95_sd"), a method's "tuning", "groups" and "misclassification", and "comparisons", whose
// p-values are numbers in [0, 1].
func (r Result) MarshalJSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	methods := object{}
	for _, m := range r.Methods {
		o, err := m.object(r.Checkpoints > 1)
		if err != nil {
			return nil, fmt.Errorf("report: method %q: %w", m.Name, err)
		}
		methods = append(methods, member{m.Name, o})
	}
	several := r.Checkpoints > 1
	out := object{
		{"net", r.Net},
		{"weights", object{{"file", r.Weights.File}, {"sha256", r.Weights.SHA256}}},
		{"seed", r.Seed},
		{"id", r.ID.object(several)},
	}
	if several {
		out = append(out, member{"checkpoints", r.Checkpoints})
	}
	if r.FullSpectrum != nil {
		csid := object{}
		for _, s := range r.CSID {
			csid = append(csid, member{s.Name, object{{"n", s.N}, {"accuracy", percent(s.Accuracy)}}})
		}
		out = append(out, member{"csid", csid}, member{"full_spectrum", r.FullSpectrum.object(several)})
	}
	if r.Bootstrap != nil {
		out = append(out, member{"bootstrap", object{
			{"resamples", r.Bootstrap.Resamples}, {"level", percent(r.Bootstrap.Level)},
		}})
	}
	out = append(out, member{"methods", methods})
	if len(r.Comparisons) > 0 {
		out = append(out, member{"comparisons", comparisonObjects(r.Comparisons)})
	}
	return out.MarshalJSON()
}

// object is a JSON object with ordered members.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON encodes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.key, err)
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// percent is a fraction that is encoded in percent, NaN as null.
type percent float64

// MarshalJSON encodes the fraction in percent.
func (p percent) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(p)) {
		return []byte("null"), nil
	}
	return []byte(formatPercent(float64(p))), nil
}

// UnmarshalJSON decodes a number in percent, or null for NaN.
func (p *percent) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*p = percent(math.NaN())
		return nil
	}
	var v float64
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*p = percent(v / 100)
	return nil
}

func percents(i metrics.Interval) [2]percent { return [2]percent{percent(i.Lo), percent(i.Hi)} }

// formatPercent formats a fraction in percent, in as few digits as nine decimals need. Nine decimals keep all
// information in rates that come from counts of samples, and drop the binary noise of 100 * 0.274 =
// 27.400000000000002.
func formatPercent(fraction float64) string {
	return strconv.FormatFloat(math.Round(fraction*100*1e9)/1e9, 'f', -1, 64)
}
