package attribute

import (
	"encoding/json"
	"io"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/parquetfile"
)

// estimateRow is one estimate as a row of a Parquet file.
type estimateRow struct {
	Subject   string    `parquet:"subject"`
	Image     *int64    `parquet:"image,optional"`
	Label     *int64    `parquet:"label,optional"`
	Class     *int64    `parquet:"class,optional"`
	Estimator string    `parquet:"estimator"`
	Names     []string  `parquet:"names,list"`
	Values    []float64 `parquet:"values,list"`
	StdErr    []float64 `parquet:"std_err,list"`
	Forwards  float64   `parquet:"forwards"`
	Backwards float64   `parquet:"backwards"`
	Seconds   float64   `parquet:"seconds"`
	Stopped   string    `parquet:"stopped"`
	Partial   bool      `parquet:"partial"`
}

// writeParquet writes one row for each estimate. The file's metadata hold what the numbers come from, and the settings
// of the games.
func (r *valuesReport) writeParquet(w io.Writer) error {
	setting, err := json.Marshal(r.stage.setting(len(r.found)))
	if err != nil {
		return err
	}
	known := func(i int) *int64 {
		if i < 0 {
			return nil
		}
		v := int64(i)
		return &v
	}
	meta := command.Provenance(r.stage.network, "Shapley values", r.stage.data)
	meta["setting"] = string(setting)
	meta["units"] = "values and std_err: those of the game's value, such as nats of a logit"
	return parquetfile.Write(w, 1<<16, meta, func(row func(estimateRow) error) error {
		for _, f := range r.found {
			e, s := &f.estimate, f.subject
			err := row(estimateRow{
				Subject: s.Name, Image: known(s.Image), Label: known(s.Label), Class: known(s.Class),
				Estimator: e.Method, Names: e.Names, Values: e.Values,
				StdErr: e.StdErr, Forwards: float64(e.Forwards), Backwards: float64(e.Backwards), Seconds: e.Seconds,
				Stopped: string(e.Stopped), Partial: r.partial,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
