package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/line/metrics"
)

// UnmarshalJSON decodes the output of MarshalJSON, with methods and OOD sets in the order of the text, and validates
// the result. Unknown members are ignored, and so are averages, which follow from the other numbers.
func (r *Result) UnmarshalJSON(data []byte) error {
	var in struct {
		Net         string
		Weights     Weights
		Seed        uint64
		ID          idJSON
		Checkpoints int
		CSID        json.RawMessage
		Full        *idJSON `json:"full_spectrum"`
		Bootstrap   *struct {
			Resamples int
			Level     percent
		}
		Methods     json.RawMessage
		Comparisons []comparisonJSON
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	out := Result{Net: in.Net, Weights: in.Weights, Seed: in.Seed, ID: in.ID.id(), Checkpoints: in.Checkpoints}
	if in.Bootstrap != nil {
		out.Bootstrap = &Bootstrap{in.Bootstrap.Resamples, float64(in.Bootstrap.Level)}
	}
	if in.Full != nil {
		full := in.Full.id()
		out.FullSpectrum = &full
	}
	if in.CSID != nil {
		err := eachMember(in.CSID, func(name string, value json.RawMessage) error {
			var set idJSON
			err := json.Unmarshal(value, &set)
			out.CSID = append(out.CSID, CSID{name, set.N, float64(set.Accuracy)})
			return err
		})
		if err != nil {
			return fmt.Errorf("report: csid: %w", err)
		}
	}
	err := eachMember(in.Methods, func(name string, value json.RawMessage) error {
		m, err := readMethod(value, in.Checkpoints > 1)
		m.Name = name
		out.Methods = append(out.Methods, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("report: methods: %w", err)
	}
	for _, c := range in.Comparisons {
		out.Comparisons = append(out.Comparisons, c.comparison())
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*r = out
	return nil
}

func readMethod(data json.RawMessage, several bool) (Method, error) {
	var in struct {
		Params            map[string]any
		FitSeconds        float64 `json:"fit_seconds"`
		MicrosPerSample   float64 `json:"us_per_sample"`
		Bytes             int64
		Tuning            *tuningJSON
		Misclassification *struct{ AURC, AUROC percent }
		FullSpectrum      *setsJSON `json:"full_spectrum"`
		setsJSON
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return Method{}, err
	}
	m := Method{
		Params: in.Params, FitSeconds: in.FitSeconds, MicrosPerSample: in.MicrosPerSample, Bytes: in.Bytes,
		Tuning: in.Tuning.tuning(),
	}
	if e := in.Misclassification; e != nil {
		m.Misclassification = &Misclassification{AURC: float64(e.AURC), AUROC: float64(e.AUROC)}
	}
	var err error
	var spread []Average
	if m.OOD, spread, err = in.read(); err != nil {
		return Method{}, err
	}
	if in.FullSpectrum != nil {
		if m.FullSpectrum, _, err = in.FullSpectrum.read(); err != nil {
			return Method{}, fmt.Errorf("full_spectrum: %w", err)
		}
	}
	if !several {
		return m, nil
	}
	m.Spread, m.AverageSpread = spread, in.Average.spread()
	for _, g := range m.Groups() {
		m.GroupSpread = append(m.GroupSpread, in.Groups[g.Name].spread())
	}
	return m, nil
}

// read returns the sets, and their standard deviations over checkpoints, in the order of the text.
func (s setsJSON) read() (sets []OOD, spread []Average, err error) {
	err = eachMember(s.OOD, func(name string, value json.RawMessage) error {
		o, sd, err := readOOD(value)
		o.Name = name
		sets, spread = append(sets, o), append(spread, sd)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("ood: %w", err)
	}
	return sets, spread, nil
}

func readOOD(data json.RawMessage) (OOD, Average, error) {
	var o OOD
	var sd spreadJSON
	var in map[string]json.RawMessage
	if err := json.Unmarshal(data, &in); err != nil {
		return o, Average{}, err
	}
	if err := readMember(in, "n", &o.N); err != nil {
		return o, Average{}, err
	}
	if _, ok := in["group"]; ok {
		if err := readMember(in, "group", &o.Group); err != nil {
			return o, Average{}, err
		}
	}
	if err := json.Unmarshal(data, &sd); err != nil {
		return o, Average{}, err
	}
	for _, f := range rateFields {
		var rate percent
		if err := readMember(in, f.key, &rate); err != nil {
			return o, Average{}, err
		}
		*f.value(&o.Metrics) = float64(rate)
		if _, ok := in[f.key+"_ci"]; !ok {
			continue
		}
		var ci *[2]percent
		if err := readMember(in, f.key+"_ci", &ci); err != nil {
			return o, Average{}, err
		}
		if o.CI == nil {
			o.CI = new(metrics.Intervals)
		}
		if ci != nil {
			*f.interval(o.CI) = *interval(ci)
		}
	}
	if _, ok := in["fpr95_tie_aware"]; ok {
		var rate percent
		if err := readMember(in, "fpr95_tie_aware", &rate); err != nil {
			return o, Average{}, err
		}
		value := float64(rate)
		o.TieAware = &value
	}
	return o, sd.spread(), nil
}

func readMember(in map[string]json.RawMessage, key string, to any) error {
	data, ok := in[key]
	if !ok {
		return fmt.Errorf("%q is missing", key)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	return nil
}

func interval(ci *[2]percent) *metrics.Interval {
	if ci == nil {
		return nil
	}
	return &metrics.Interval{Lo: float64(ci[0]), Hi: float64(ci[1])}
}

// eachMember calls f for each member of a JSON object, in the order of the text.
func eachMember(data json.RawMessage, f func(name string, value json.RawMessage) error) error {
	if len(data) == 0 {
		return errors.New("missing")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not an object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return errors.New("not an object")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if err := f(name, value); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
