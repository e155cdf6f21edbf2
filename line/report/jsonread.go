package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/line/metrics"
)

// UnmarshalJSON decodes what MarshalJSON encodes, methods and OOD sets in the order of the text, and validates it.
// Members that it does not know are ignored, and so are averages, which follow from the rest.
func (r *Result) UnmarshalJSON(data []byte) error {
	var in struct {
		Net     string
		Weights Weights
		Seed    uint64
		ID      struct {
			N          int
			Accuracy   percent
			AccuracyCI *[2]percent `json:"accuracy_ci"`
		}
		Bootstrap *struct {
			Resamples int
			Level     percent
		}
		Methods json.RawMessage
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	out := Result{Net: in.Net, Weights: in.Weights, Seed: in.Seed}
	out.ID = ID{N: in.ID.N, Accuracy: float64(in.ID.Accuracy), AccuracyCI: interval(in.ID.AccuracyCI)}
	if in.Bootstrap != nil {
		out.Bootstrap = &Bootstrap{in.Bootstrap.Resamples, float64(in.Bootstrap.Level)}
	}
	err := eachMember(in.Methods, func(name string, value json.RawMessage) error {
		m, err := readMethod(value)
		m.Name = name
		out.Methods = append(out.Methods, m)
		return err
	})
	if err != nil {
		return fmt.Errorf("report: methods: %w", err)
	}
	if err := out.Validate(); err != nil {
		return err
	}
	*r = out
	return nil
}

func readMethod(data json.RawMessage) (Method, error) {
	var in struct {
		Params          map[string]any
		FitSeconds      float64 `json:"fit_seconds"`
		MicrosPerSample float64 `json:"us_per_sample"`
		OOD             json.RawMessage
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return Method{}, err
	}
	m := Method{Params: in.Params, FitSeconds: in.FitSeconds, MicrosPerSample: in.MicrosPerSample}
	err := eachMember(in.OOD, func(name string, value json.RawMessage) error {
		o, err := readOOD(value)
		o.Name = name
		m.OOD = append(m.OOD, o)
		return err
	})
	if err != nil {
		return Method{}, fmt.Errorf("ood: %w", err)
	}
	return m, nil
}

func readOOD(data json.RawMessage) (OOD, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(data, &in); err != nil {
		return OOD{}, err
	}
	var o OOD
	if err := readMember(in, "n", &o.N); err != nil {
		return OOD{}, err
	}
	for _, f := range rateFields {
		var rate percent
		if err := readMember(in, f.key, &rate); err != nil {
			return OOD{}, err
		}
		*f.value(&o.Metrics) = float64(rate)
		if _, ok := in[f.key+"_ci"]; !ok {
			continue
		}
		var ci *[2]percent
		if err := readMember(in, f.key+"_ci", &ci); err != nil {
			return OOD{}, err
		}
		if o.CI == nil {
			o.CI = &metrics.Intervals{}
		}
		if got := interval(ci); got != nil {
			*f.interval(o.CI) = *got
		}
	}
	return o, nil
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
