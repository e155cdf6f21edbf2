package cli

import (
	"io"
	"maps"

	"github.com/line-ood/goline/internal/parquetfile"
)

// parquetScore is one image in a Parquet file of scores. Columns for which there is no value are null.
type parquetScore struct {
	ID             string   `parquet:"id"`
	Score          float64  `parquet:"score"`
	Prediction     int64    `parquet:"prediction"`
	Label          *int64   `parquet:"label,optional"`
	OOD            *bool    `parquet:"ood,optional"`
	P              *float64 `parquet:"p_value,optional"`
	Martingale     *float64 `parquet:"martingale,optional"`
	Alarm          *bool    `parquet:"alarm,optional"`
	PredictionName *string  `parquet:"prediction_name,optional"`
	LabelName      *string  `parquet:"label_name,optional"`
}

// parquetScores keeps all rows until the end, because a row group is written as a whole.
type parquetScores struct {
	sheet
	w    io.Writer
	rows []scoredImage
}

func newScoreParquet(w io.Writer, s sheet) scoreWriter { return &parquetScores{sheet: s, w: w} }

func (p *parquetScores) row(r scoredImage) error {
	p.rows = append(p.rows, r)
	return nil
}

func (p *parquetScores) close() error {
	meta := maps.Clone(p.meta)
	if meta == nil {
		meta = map[string]string{}
	}
	meta["units"] = "score: nats, higher is more in-distribution (LINe, energy; other methods their own); p_value: " +
		"probability"
	if p.extent != nil {
		meta[npzShard] = extentJSON(p.extent)
	}
	return parquetfile.Write(p.w, 100, meta, func(write func(parquetScore) error) error {
		for _, r := range p.rows {
			row := parquetScore{ID: r.id, Score: r.Score, Prediction: int64(r.Prediction)}
			if r.Label >= 0 {
				label := int64(r.Label)
				row.Label = &label
			}
			if r.judged {
				row.OOD = &r.ood
			}
			if p.calibrated {
				row.P = &r.p
			}
			if p.drift {
				value := r.martingale()
				row.Martingale, row.Alarm = &value, &r.evidence.Alarm
			}
			if r.predicted != "" {
				row.PredictionName = &r.predicted
			}
			if r.labelled != "" {
				row.LabelName = &r.labelled
			}
			if err := write(row); err != nil {
				return err
			}
		}
		return nil
	})
}
