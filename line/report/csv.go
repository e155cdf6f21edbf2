package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// WriteCSV writes one row for each method and OOD set, with a header: method, ood, n, the rates in percent under their
// JSON names, with intervals as NAME_lo and NAME_hi if any set has them (empty where a set has none), and the method's
// fit_seconds, us_per_sample and params ("clip = 1, p_a = 90"). Names are quoted as RFC 4180 asks. It errors if the result is not valid.
func (r Result) WriteCSV(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	intervals := false
	for _, m := range r.Methods {
		for _, o := range m.OOD {
			intervals = intervals || o.CI != nil
		}
	}
	header := []string{"method", "ood", "n"}
	for _, f := range rateFields {
		header = append(header, f.key)
		if intervals {
			header = append(header, f.key+"_lo", f.key+"_hi")
		}
	}
	header = append(header, "fit_seconds", "us_per_sample", "params")

	out := csv.NewWriter(w)
	rows := [][]string{header}
	for _, m := range r.Methods {
		for _, o := range m.OOD {
			rows = append(rows, csvRow(m, o, intervals))
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("report: csv: %w", err)
	}
	return nil
}

func csvRow(m Method, o OOD, intervals bool) []string {
	row := []string{m.Name, o.Name, strconv.Itoa(o.N)}
	for _, f := range rateFields {
		row = append(row, formatPercent(*f.value(&o.Metrics)))
		switch {
		case o.CI != nil:
			ci := f.interval(o.CI)
			row = append(row, formatPercent(ci.Lo), formatPercent(ci.Hi))
		case intervals:
			row = append(row, "", "")
		}
	}
	return append(row,
		strconv.FormatFloat(m.FitSeconds, 'g', -1, 64), strconv.FormatFloat(m.MicrosPerSample, 'g', -1, 64), FormatParams(m.Params))
}
