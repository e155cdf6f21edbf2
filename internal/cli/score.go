package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

func newScore() *cobra.Command {
	var (
		c                     command.Common
		net                   command.Network
		detector, images, out string
		verdict               verdictFlags
	)
	cmd := &cobra.Command{
		Use:   "score --detector det.npz --data DATA --out scores.csv|.jsonl|.npz|-",
		Short: "Score images: the higher, the more in-distribution",
		Long: `Score images with a fitted detector and write, by the ending of the file,
  .csv    id,score,prediction,label,ood     one row per image, label empty where unknown
  .jsonl  {"id","score","prediction","label","ood"}   one object per line, label null where unknown
  .npz    ids, scores float64, predictions int64, labels int64 (-1 where unknown), ood bool, threshold
or CSV to standard output with --out -.

ood is true where the score is not above the threshold. Without --threshold that is the one above which 95 % (--tpr) of the
images lie that the detector was fitted to. Their scores are a little higher than those of new images, so somewhat more than
5 % of in-distribution images will be called ood; held-out images make a better threshold.
With --net and --weights the detector is checked to belong to that network. With --class-names the names of the predicted class and
of the label stand behind: prediction_name and label_name, in npz files class_names.`,
		Example: `  goline score --detector detector.npz --data photos/ --out scores.csv`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required("--detector", detector, "--data", images, "--out", out); err != nil {
				return err
			}
			write, err := formatOf(out)
			if err != nil {
				return err
			}
			if err := verdict.check(cmd); err != nil {
				return err
			}
			written := out
			if out == standardOutput {
				written = ""
			}
			err = command.CheckOutputs(command.Outputs("--out", written), append(net.Inputs(), command.InputFile("--detector", detector), command.InputData("--data", images))...)
			if err != nil {
				return err
			}
			det, n, err := net.Detector(detector)
			if err != nil {
				return err
			}
			threshold, known, err := verdict.threshold(det)
			if err != nil {
				return err
			}
			classes, err := net.Classes()
			if err != nil {
				return err
			}
			s, err := score(cmd.Context(), &c, det, n.Preprocessing(), images)
			if err != nil {
				return err
			}
			defer s.set.Close()
			s.threshold, s.verdict = threshold, known
			if classes != nil {
				s.nameBy(classes)
			}
			if out == standardOutput {
				return write(cmd.OutOrStdout(), s)
			}
			if err := atomicfile.Write(out, func(w io.Writer) error { return write(w, s) }); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images%s\n", out, len(s.Score), s.summary())
			return err
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit wrote")
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write: .csv, .jsonl or .npz; - for CSV on standard output")
	verdict.register(cmd)
	return cmd
}

// scored is a set of images with what a detector says of them.
type scored struct {
	set dataset.Dataset
	*line.Scores
	verdict bool // whether threshold is known
	// threshold separates: a score at or below it is out-of-distribution.
	threshold float64
	// names are those of the network's classes; nil leaves them out.
	names []string
}

// nameBy makes labels those of the network's classes, and unknown where the images are of other classes.
func (s *scored) nameBy(classes []dataset.Class) {
	s.names = dataset.ClassNames(classes)
	named, err := dataset.Relabel(s.set, classes)
	for i := range s.Label {
		s.Label[i] = -1
		if err == nil && named.Labels() != nil {
			s.Label[i] = named.Labels()[i]
		}
	}
}

// name is what class k is called, "" where that is not known.
func (s *scored) name(k int) string {
	if k < 0 || k >= len(s.names) {
		return ""
	}
	return s.names[k]
}

func (s *scored) ood(i int) bool { return s.Score[i] <= s.threshold }

// score returns the images' scores; the caller closes the set.
func score(ctx context.Context, c *command.Common, det *line.Detector, p nets.Preprocessing, images string) (*scored, error) {
	set, err := dataset.Open(images)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	scores, err := func() (*line.Scores, error) {
		prog, err := det.Compile(c.GraphOptions())
		if err != nil {
			return nil, err
		}
		stream, finish := c.Stream(ctx, "score", set, p)
		defer finish()
		return det.Collect(ctx, prog, stream)
	}()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--data %s: %w", images, err), set.Close())
	}
	return &scored{set: set, Scores: scores}, nil
}

// scoreFormat writes scores in one format.
type scoreFormat func(w io.Writer, s *scored) error

// standardOutput is the name that stands for it.
const standardOutput = "-"

// formatOf tells the format from the ending of a name; standard output gets CSV.
func formatOf(path string) (scoreFormat, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case path == standardOutput, ext == ".csv":
		return writeCSV, nil
	case ext == ".jsonl":
		return writeJSONL, nil
	case ext == ".npz":
		return writeScoreNpz, nil
	case atomicfile.IsStream(path):
		return writeCSV, nil
	default:
		return nil, command.Usagef("--out %s: ending %q, expected .csv, .jsonl or .npz, or - for standard output", path, ext)
	}
}

func writeCSV(w io.Writer, s *scored) error {
	out := csv.NewWriter(w)
	header := []string{"id", "score", "prediction", "label", "ood"}
	if s.names != nil {
		header = append(header, "prediction_name", "label_name")
	}
	_ = out.Write(header) // its errors last until Error
	for i, v := range s.Score {
		label, ood := "", ""
		if s.Label[i] >= 0 {
			label = strconv.Itoa(s.Label[i])
		}
		if s.verdict {
			ood = strconv.FormatBool(s.ood(i))
		}
		row := []string{s.set.ID(i), strconv.FormatFloat(v, 'g', -1, 64), strconv.Itoa(s.Prediction[i]), label, ood}
		if s.names != nil {
			row = append(row, s.name(s.Prediction[i]), s.name(s.Label[i]))
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

func writeJSONL(w io.Writer, s *scored) error {
	type row struct {
		ID         string  `json:"id"`
		Score      float64 `json:"score"`
		Prediction int     `json:"prediction"`
		Label      *int    `json:"label"`
		OOD        *bool   `json:"ood"`
		Predicted  string  `json:"prediction_name,omitempty"`
		Labelled   string  `json:"label_name,omitempty"`
	}
	enc := json.NewEncoder(w)
	for i, v := range s.Score {
		r := row{ID: s.set.ID(i), Score: v, Prediction: s.Prediction[i], Predicted: s.name(s.Prediction[i]), Labelled: s.name(s.Label[i])}
		if s.Label[i] >= 0 {
			r.Label = &s.Label[i]
		}
		if s.verdict {
			ood := s.ood(i)
			r.OOD = &ood
		}
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
	}
	return nil
}

func writeScoreNpz(w io.Writer, s *scored) error {
	ids, ood := make([]string, len(s.Score)), make([]bool, len(s.Score))
	for i := range ids {
		ids[i], ood[i] = s.set.ID(i), s.verdict && s.ood(i)
	}
	z := npyz.NewWriter(w, npyz.Stored)
	arrays := []npyz.Named{
		{Name: "ids", Array: npyz.New(ids)},
		{Name: "scores", Array: npyz.New(s.Score)},
		{Name: "predictions", Array: npyz.New(int64s(s.Prediction))},
		{Name: "labels", Array: npyz.New(int64s(s.Label))},
	}
	if s.verdict {
		arrays = append(arrays, npyz.Named{Name: "ood", Array: npyz.New(ood)}, npyz.Named{Name: "threshold", Array: npyz.Scalar(s.threshold)})
	}
	if s.names != nil {
		arrays = append(arrays, npyz.Named{Name: "class_names", Array: npyz.New(s.names)})
	}
	for _, a := range arrays {
		if err := z.Write(a.Name, a.Array); err != nil {
			return err
		}
	}
	return z.Close()
}

func int64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}
