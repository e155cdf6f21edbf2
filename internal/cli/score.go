package cli

import (
	"bufio"
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
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

func newScore() *cobra.Command {
	var (
		c                     common
		net                   network
		detector, images, out string
	)
	cmd := &cobra.Command{
		Use:   "score --detector det.npz --data DATA --out scores.csv|.jsonl|.npz",
		Short: "Score images: the higher, the more in-distribution",
		Long: `Score images with a fitted detector and write, by the ending of the file,
  .csv    id,score,prediction,label     one row per image, label empty where unknown
  .jsonl  {"id","score","prediction","label"}   one object per line, label null where unknown
  .npz    ids, scores float64, predictions int64, labels int64 (-1 where unknown)
With --net and --weights the detector is checked to belong to that network.`,
		Example: `  goline score --detector detector.npz --data photos/ --out scores.csv`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("--detector", detector, "--data", images, "--out", out); err != nil {
				return err
			}
			write, err := scoreWriter(out)
			if err != nil {
				return err
			}
			inputs := []file{{"--detector", detector}, {"--weights", net.weights}, data("--data", images)}
			if err := checkOutputs([]file{{"--out", out}}, inputs...); err != nil {
				return err
			}
			det, pre, err := openDetector(detector, net)
			if err != nil {
				return err
			}
			set, scores, err := c.score(cmd.Context(), det, pre, images)
			if err != nil {
				return err
			}
			defer set.Close()
			if err := write(out, set, scores); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images\n", out, len(scores.Score))
			return err
		},
	}
	c.register(cmd)
	net.register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit wrote")
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write: .csv, .jsonl or .npz")
	return cmd
}

// openDetector reads a detector, for a given network where one is named.
func openDetector(path string, net network) (*line.Detector, nets.Preprocessing, error) {
	if net.name != "" || net.weights != "" {
		n, err := net.open()
		if err != nil {
			return nil, nets.Preprocessing{}, err
		}
		det, err := line.LoadFor(path, n)
		return det, n.Preprocessing(), err
	}
	det, err := line.Load(path)
	if err != nil {
		return nil, nets.Preprocessing{}, err
	}
	n, ok := det.Network().(*nets.Network)
	if !ok {
		return nil, nets.Preprocessing{}, fmt.Errorf("%s: network %s has no preprocessing", path, det.Network().Name())
	}
	return det, n.Preprocessing(), nil
}

// score returns the set, which the caller closes, with the scores of its images.
func (c *common) score(
	ctx context.Context, det *line.Detector, p nets.Preprocessing, images string,
) (dataset.Dataset, *line.Scores, error) {
	set, err := dataset.Open(images)
	if err != nil {
		return nil, nil, fmt.Errorf("--data: %w", err)
	}
	scores, err := func() (*line.Scores, error) {
		prog, err := det.Compile(c.options())
		if err != nil {
			return nil, err
		}
		stream, finish := c.stream(ctx, "score", set, p)
		defer finish()
		return line.Collect(ctx, prog, stream)
	}()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("--data %s: %w", images, err), set.Close())
	}
	return set, scores, nil
}

type writeScores func(path string, set dataset.Dataset, s *line.Scores) error

func scoreWriter(path string) (writeScores, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".csv":
		return writeCSV, nil
	case ".jsonl":
		return writeJSONL, nil
	case ".npz":
		return writeScoreNpz, nil
	default:
		return nil, usagef("--out %s: ending %q, expected .csv, .jsonl or .npz", path, ext)
	}
}

func writeCSV(path string, set dataset.Dataset, s *line.Scores) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write([]string{"id", "score", "prediction", "label"}); err != nil {
			return err
		}
		for i, v := range s.Score {
			label := ""
			if s.Label[i] >= 0 {
				label = strconv.Itoa(s.Label[i])
			}
			row := []string{set.ID(i), strconv.FormatFloat(v, 'g', -1, 64), strconv.Itoa(s.Prediction[i]), label}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

func writeJSONL(path string, set dataset.Dataset, s *line.Scores) error {
	type row struct {
		ID         string  `json:"id"`
		Score      float64 `json:"score"`
		Prediction int     `json:"prediction"`
		Label      *int    `json:"label"`
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		out := bufio.NewWriter(w)
		enc := json.NewEncoder(out)
		for i, v := range s.Score {
			r := row{ID: set.ID(i), Score: v, Prediction: s.Prediction[i]}
			if s.Label[i] >= 0 {
				r.Label = &s.Label[i]
			}
			if err := enc.Encode(r); err != nil {
				return fmt.Errorf("%s: %w", r.ID, err)
			}
		}
		return out.Flush()
	})
}

func writeScoreNpz(path string, set dataset.Dataset, s *line.Scores) error {
	ids := make([]string, len(s.Score))
	for i := range ids {
		ids[i] = set.ID(i)
	}
	return npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "ids", Array: npyz.New(ids)},
		npyz.Named{Name: "scores", Array: npyz.New(s.Score)},
		npyz.Named{Name: "predictions", Array: npyz.New(int64s(s.Prediction))},
		npyz.Named{Name: "labels", Array: npyz.New(int64s(s.Label))})
}

func int64s(v []int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}
