package job

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
)

// scores returns the content of a CSV file as goline score --shard writes it.
func (w *worker) scores(ctx context.Context, images graph.Batches, r *reading) ([]byte, error) {
	s, err := w.det.Collect(ctx, w.program, images)
	if err != nil && !none(err, r) {
		return nil, err
	}
	if s == nil {
		s = &line.Scores{}
	}
	var out bytes.Buffer
	extent, err := json.Marshal(r.piece.extent(r.unread))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, "# goline shard %s\n", extent)
	_, uncalibrated := w.det.Calibrator()
	header := []string{"id", "score", "prediction", "label", "ood"}
	if uncalibrated == nil {
		header = append(header, "p_value")
	}
	rows := csv.NewWriter(&out)
	_ = rows.Write(header) // csv.Writer keeps the first error for Error
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for i, score := range s.Score {
		at := r.positions[i]
		v := w.det.Judge(score, s.Prediction[i])
		label, ood := "", ""
		if l := r.label(at); l >= 0 {
			label = strconv.Itoa(l)
		}
		if v.Judged {
			ood = strconv.FormatBool(v.OOD)
		}
		row := []string{r.id(at), number(score), strconv.Itoa(s.Prediction[i]), label, ood}
		if uncalibrated == nil {
			row = append(row, number(v.P))
		}
		_ = rows.Write(row)
	}
	rows.Flush()
	return out.Bytes(), rows.Error()
}

// features returns the content of an npz file as goline features --shard writes it.
func (w *worker) features(ctx context.Context, images graph.Batches, r *reading) ([]byte, error) {
	s, err := eval.Extract(ctx, w.program, images)
	if err != nil && !none(err, r) {
		return nil, err
	}
	s.FeatureDim, s.Classes = w.net.FeatureDim(), w.net.Classes()
	var out bytes.Buffer
	err = eval.EncodeFeaturesShard(&out, s, r.piece.extent(r.unread))
	return out.Bytes(), err
}

// none reports whether the error only means that no image could be read.
func none(err error, r *reading) bool {
	return r.unread == r.n && errors.Is(err, dataset.ErrNoImages)
}
