package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/parquetfile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

// scoredImage is one row of a file of scores.
type scoredImage struct {
	id string
	line.Sample
	predicted, labelled string // names of classes
	judged, ood         bool
	p                   float64
	evidence            conformal.Evidence
}

// martingale returns the martingale's value, limited to the largest finite number.
func (r scoredImage) martingale() float64 { return min(r.evidence.Value(), math.MaxFloat64) }

// sheet says which columns a file of scores has, and holds its metadata.
type sheet struct {
	names      []string // of classes, nil for none
	calibrated bool     // whether there are p-values
	drift      bool     // whether there are columns for martingale and alarm
	judged     bool     // whether there are verdicts (read by npz only)
	extra      []npyz.Named
	extent     *dataset.Extent // the shard's part of the images, nil for all of them
	meta       map[string]string
}

// scoreWriter writes rows in one format.
type scoreWriter interface {
	row(r scoredImage) error
	close() error
}

// scoreFormat starts a file of scores and returns the writer of its rows.
type scoreFormat func(w io.Writer, s sheet) scoreWriter

// standardOutput is the name of an output that stands for standard output.
const standardOutput = "-"

// formatOf returns the format for the ending of a file name. Standard output gets CSV.
func formatOf(path string) (scoreFormat, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case path == standardOutput, ext == ".csv":
		return newCSV, nil
	case ext == ".jsonl":
		return newJSONL, nil
	case ext == ".npz":
		return newScoreNpz, nil
	case parquetfile.Is(path):
		return newScoreParquet, nil
	case atomicfile.IsStream(path):
		return newCSV, nil
	default:
		return nil,
			command.Usagef("--out %s: expected the ending .csv, .jsonl, .npz or .parquet, or - for standard output, "+
				"got %q", path, ext)
	}
}

func writeScores(w io.Writer, format scoreFormat, s sheet, rows []scoredImage) error {
	out := format(w, s)
	for _, r := range rows {
		if err := out.row(r); err != nil {
			return err
		}
	}
	return out.close()
}

// csvScores writes one line for each image.
type csvScores struct {
	sheet
	out *csv.Writer
}

func newCSV(w io.Writer, s sheet) scoreWriter {
	out := csv.NewWriter(w)
	header := []string{"id", "score", "prediction", "label", "ood"}
	if s.calibrated {
		header = append(header, "p_value")
	}
	if s.drift {
		header = append(header, "martingale", "alarm")
	}
	if s.names != nil {
		header = append(header, "prediction_name", "label_name")
	}
	if s.extent != nil {
		_, _ = fmt.Fprintf(w, "%s%s\n", csvShard, extentJSON(s.extent)) // an error shows at the header
	}
	_ = out.Write(header) // errors are kept until Error
	return &csvScores{s, out}
}

func (c *csvScores) row(r scoredImage) error {
	label, ood := "", ""
	if r.Label >= 0 {
		label = strconv.Itoa(r.Label)
	}
	if r.judged {
		ood = strconv.FormatBool(r.ood)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	row := []string{r.id, number(r.Score), strconv.Itoa(r.Prediction), label, ood}
	if c.calibrated {
		row = append(row, number(r.p))
	}
	if c.drift {
		row = append(row, number(r.martingale()), strconv.FormatBool(r.evidence.Alarm))
	}
	if c.names != nil {
		row = append(row, r.predicted, r.labelled)
	}
	_ = c.out.Write(row)
	if c.drift { // a reader who waits for the row gets it at once
		c.out.Flush()
	}
	return c.out.Error()
}

func (c *csvScores) close() error {
	c.out.Flush()
	return c.out.Error()
}

// jsonlScores writes one object for each image.
type jsonlScores struct {
	sheet
	enc *json.Encoder
}

func newJSONL(w io.Writer, s sheet) scoreWriter {
	if s.extent != nil {
		// An error of the writer shows again at the first row.
		_, _ = fmt.Fprintf(w, "%s%s}\n", jsonlShard, extentJSON(s.extent))
	}
	return &jsonlScores{s, json.NewEncoder(w)}
}

func (j *jsonlScores) row(r scoredImage) error {
	row := struct {
		ID         string   `json:"id"`
		Score      float64  `json:"score"`
		Prediction int      `json:"prediction"`
		Label      *int     `json:"label"`
		OOD        *bool    `json:"ood"`
		P          *float64 `json:"p_value,omitempty"`
		Martingale *float64 `json:"martingale,omitempty"`
		Alarm      *bool    `json:"alarm,omitempty"`
		Predicted  string   `json:"prediction_name,omitempty"`
		Labelled   string   `json:"label_name,omitempty"`
	}{ID: r.id, Score: r.Score, Prediction: r.Prediction, Predicted: r.predicted, Labelled: r.labelled}
	if r.Label >= 0 {
		row.Label = &r.Label
	}
	if r.judged {
		row.OOD = &r.ood
	}
	if j.calibrated {
		row.P = &r.p
	}
	if j.drift {
		value := r.martingale()
		row.Martingale, row.Alarm = &value, &r.evidence.Alarm
	}
	if err := j.enc.Encode(row); err != nil {
		return fmt.Errorf("%s: %w", r.id, err)
	}
	return nil
}

func (j *jsonlScores) close() error { return nil }

// npzScores keeps all rows until the end, because an array's header holds its length.
type npzScores struct {
	sheet
	w    io.Writer
	rows []scoredImage
}

func newScoreNpz(w io.Writer, s sheet) scoreWriter { return &npzScores{sheet: s, w: w} }

func (n *npzScores) row(r scoredImage) error {
	n.rows = append(n.rows, r)
	return nil
}

func (n *npzScores) close() error {
	arrays := []npyz.Named{
		column("ids", n.rows, func(r scoredImage) string { return r.id }),
		column("scores", n.rows, func(r scoredImage) float64 { return r.Score }),
		column("predictions", n.rows, func(r scoredImage) int64 { return int64(r.Prediction) }),
		column("labels", n.rows, func(r scoredImage) int64 { return int64(r.Label) }),
	}
	if n.judged {
		arrays = append(arrays, column("ood", n.rows, func(r scoredImage) bool { return r.ood }))
	}
	if n.calibrated {
		arrays = append(arrays, column("p_values", n.rows, func(r scoredImage) float64 { return r.p }))
	}
	if n.drift {
		arrays = append(arrays, column("martingale", n.rows, scoredImage.martingale),
			column("alarm", n.rows, func(r scoredImage) bool { return r.evidence.Alarm }))
	}
	arrays = append(arrays, n.extra...)
	if n.names != nil {
		arrays = append(arrays, npyz.Named{Name: "class_names", Array: npyz.New(n.names)})
	}
	if n.extent != nil {
		arrays = append(arrays, npyz.Named{Name: npzShard, Array: npyz.Scalar(extentJSON(n.extent))})
	}
	z := npyz.NewWriter(n.w, npyz.Stored)
	for _, a := range arrays {
		if err := z.Write(a.Name, a.Array); err != nil {
			return err
		}
	}
	return z.Close()
}

func column[T npyz.Element](name string, rows []scoredImage, of func(scoredImage) T) npyz.Named {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return npyz.Named{Name: name, Array: npyz.New(out)}
}
