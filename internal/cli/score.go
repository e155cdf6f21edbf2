package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/parquetfile"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

func newScore() *cobra.Command {
	var (
		c                     command.Common
		net                   command.Network
		detector, images, out string
		verdict               verdictFlags
		sharding              command.Sharding
	)
	cmd := &cobra.Command{
		Use:   "score --detector det.npz --data DATA --out scores.csv|.jsonl|.npz|.parquet|-",
		Short: "Score images: the higher, the more in-distribution",
		Long: `Score images with a fitted detector and write, by the ending of the file,
  .csv    id,score,prediction,label,ood     one row per image, label empty where unknown
  .jsonl  {"id","score","prediction","label","ood"}   one object per line, label null where unknown
  .npz    ids, scores float64, predictions int64, labels int64 (-1 where unknown), ood bool, threshold
  .parquet  the columns of .jsonl, null where unknown, with network, detector, preprocessing and version in the metadata
or CSV to standard output with --out -.

ood is true where the score is not above the threshold. Without --threshold that is the one above which 95 % (--tpr) of the
images lie that the detector was fitted to. Their scores are a little higher than those of new images, so somewhat more than
5 % of in-distribution images will be called ood; held-out images make a better threshold: goline calibrate.

A calibrated detector adds p_value (npz: p_values). ood is then true where it is at most --alpha, the false-alarm rate; by default the one that
was calibrated for (npz: alpha, and as threshold the score below which that is so). --adjust and --delta choose for what it holds, as
in goline calibrate. --fdr decides over all images together, so that of the images called ood at most a share of --alpha is expected to be
in-distribution: bh, storey, by over the whole set; lond, lond-dep, lord++, lord-dep, saffron, addis one after another, each before the next is known.
P-values of one calibration depend on each other: bh, storey, lond and the -dep ones hold all the same, the others with
--adjust simes, with probability 1 - D over the calibration.
--stream writes each image as soon as it is scored, with two more columns. martingale (a conformal test martingale) is evidence that the
images no longer are like those of the calibration: it starts at 1, and while nothing drifts it ever reaches 1/L with probability at most L.
From then on alarm is true; L is --alarm-level.

--data tar:- reads a tar archive from standard input, once and as it comes; gzip is unpacked, and each label must stand beside its picture.

With --shard the file is of a part of the images, for goline merge: its first line, or array shard, says which.

With --net and --weights the detector is checked to belong to that network. With --class-names the names of the predicted class and
of the label stand behind: prediction_name and label_name, in npz files class_names.`,
		Example: `  goline score --detector detector.npz --data photos/ --out scores.csv
  goline score --detector calibrated.npz --data photos/ --out scores.csv --fdr bh --alpha 0.1
  goline score --detector calibrated.npz --data photos/ --out - --stream
  curl -s https://host/shard.tar.gz | goline score --detector detector.npz --data tar:- --out scores.csv`,
		Args: command.NoArgs,
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
			if err := sharding.Check(); err != nil {
				return err
			}
			if sharding.Given() && images == command.StreamedData {
				return errShardedStream
			}
			if sharding.Given() && (verdict.fdr != "" || verdict.stream) {
				return command.Usagef("--shard: --fdr and --stream look at all images, one after another: give neither")
			}
			written := out
			if out == standardOutput {
				written = ""
			}
			err = command.CheckOutputs(command.Outputs("--out", written),
				append(net.Inputs(), command.InputFile("--detector", detector), command.InputData("--data", images))...)
			if err != nil {
				return err
			}
			det, n, err := net.Detector(detector)
			if err != nil {
				return err
			}
			judge, err := verdict.judge(cmd, det, c.Seed)
			if err != nil {
				return err
			}
			classes, err := net.Classes()
			if err != nil {
				return err
			}
			s := &scoring{common: &c, det: det, preprocessing: n.Preprocessing(), images: images, classes: classes,
				judge: judge, format: write, sharding: &sharding, stdin: cmd.InOrStdin()}
			if parquetfile.Is(out) {
				s.meta = command.Provenance(n, "scores", images)
				s.meta["detector"] = det.Method()
				if s.meta["detector_sha256"], err = weights.SHA256(detector); err != nil {
					return err
				}
			}
			if sharding.Given() {
				if s.made, err = verdict.madeBy(cmd, n, detector); err != nil {
					return err
				}
			}
			to := func(write func(io.Writer) error) error { return atomicfile.Write(out, write) }
			if out == standardOutput {
				to = func(write func(io.Writer) error) error { return write(cmd.OutOrStdout()) }
			}
			if err := s.write(cmd.Context(), to); err != nil {
				return err
			}
			if note := judge.note(); note != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "goline: %s\n", note)
			}
			if out == standardOutput {
				return nil
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images%s\n", out, judge.images, judge.summary())
			return err
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit or calibrate wrote")
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "",
		"`FILE` to write: .csv, .jsonl, .npz or .parquet; - for CSV on standard output")
	verdict.register(cmd)
	sharding.Register(cmd)
	return cmd
}

// scoring is one run of goline score.
type scoring struct {
	common        *command.Common
	det           *line.Detector
	preprocessing nets.Preprocessing
	images        string
	classes       []dataset.Class // nil where class names are not wanted
	judge         *judge
	format        scoreFormat
	stdin         io.Reader
	sharding      *command.Sharding
	made          string          // identifies what the scores of a shard depend on
	extent        *dataset.Extent // of a shard
	meta          map[string]string
}

// write scores and judges all images and writes the rows: all at the end or, in a stream, each as it comes. to opens
// the output and calls its argument with it.
func (s *scoring) write(ctx context.Context, to func(write func(io.Writer) error) error) error {
	if s.judge.drift != nil {
		var reading error // an error of reading images or running the network, not of writing
		err := to(func(w io.Writer) (err error) {
			err, reading = s.stream(ctx, w)
			return errors.Join(err, reading)
		})
		if reading != nil {
			return reading
		}
		return err
	}
	all, err := s.open()
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	defer all.set.Close()
	part, extent, err := s.sharding.Take(all.set.Dataset, s.made)
	if err != nil {
		return err
	}
	if s.extent = extent; extent != nil {
		all.set = dataset.WithHashes(part)
	}
	if all.Scores, err = all.collect(ctx, s.common, s.det, s.preprocessing); err != nil {
		return fmt.Errorf("--data %s: %w", s.images, err)
	}
	if s.classes != nil {
		all.nameBy(s.classes)
	}
	rows := make([]scoredImage, len(all.Score))
	for i, v := range all.Score {
		rows[i] = all.row(i, line.Sample{Score: v, Prediction: all.Prediction[i], Label: all.Label[i]})
		if err := s.judge.one(&rows[i]); err != nil {
			return err
		}
	}
	if err := s.judge.all(rows); err != nil {
		return err
	}
	s.judge.known(s.det, all.hashes())
	sheet := s.judge.sheet(all.names)
	sheet.extent, sheet.meta = s.extent, s.meta
	return to(func(w io.Writer) error { return writeScores(w, s.format, sheet, rows) })
}

// stream writes each image as soon as its batch is scored. It returns errors of writing and of reading separately.
func (s *scoring) stream(ctx context.Context, w io.Writer) (writing, reading error) {
	set, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	defer func() { reading = errors.Join(reading, set.set.Close()) }()
	if err := s.common.Limit(s.det.Network(), set.set.Len()); err != nil {
		return nil, err
	}
	prog, err := s.det.Compile(s.common.GraphOptions())
	if err != nil {
		return nil, err
	}
	set.Scores = &line.Scores{Label: append([]int(nil), set.set.Labels()...)}
	if s.classes != nil {
		set.nameBy(s.classes)
	}
	stream, finish := s.common.Stream(ctx, "score", set.set, s.preprocessing)
	defer finish()
	columns := s.judge.sheet(set.names)
	columns.meta = s.meta
	sheet := s.format(w, columns)
	i := 0
	for sample, err := range s.det.Stream(ctx, prog, stream) {
		if err != nil {
			return nil, fmt.Errorf("--data %s: %w", s.images, err)
		}
		if i < len(set.Label) {
			sample.Label = set.Label[i]
		}
		row := set.row(i, sample)
		if err := s.judge.one(&row); err != nil {
			return nil, err
		}
		if err := sheet.row(row); err != nil {
			return err, nil
		}
		i++
	}
	s.judge.known(s.det, set.hashes())
	return sheet.close(), nil
}

// scored is a set of images with the scores of a detector.
type scored struct {
	set *dataset.Hashed
	*line.Scores
	// names holds the names of the network's classes, nil where they are not wanted.
	names []string
}

// nameBy sets the classes' names and makes labels numbers of these classes. Labels of images of other classes become
// -1.
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

// name returns the name of class k, "" where it is not known.
func (s *scored) name(k int) string {
	if k < 0 || k >= len(s.names) {
		return ""
	}
	return s.names[k]
}

// row returns the row of image i.
func (s *scored) row(i int, v line.Sample) scoredImage {
	return scoredImage{id: s.set.ID(i), Sample: v, predicted: s.name(v.Prediction), labelled: s.name(v.Label)}
}

// hashes returns the hashes of all images. Every image must have been read before.
func (s *scored) hashes() []line.Hash { return s.set.Hashes() }

// errShardedStream is the error for a part of what is read once.
var errShardedStream = command.Usagef("--shard: %s is read once, and its number of images is not known before",
	command.StreamedData)

// open opens the set, which may come from standard input.
func (s *scoring) open() (*scored, error) {
	if s.images == command.StreamedData {
		return &scored{set: dataset.WithHashes(command.Streamed(s.stdin))}, nil
	}
	return openScored(s.images)
}

// openScored opens a set to be scored.
func openScored(images string) (*scored, error) {
	set, err := dataset.Open(images)
	if err != nil {
		return nil, err
	}
	return &scored{set: dataset.WithHashes(set)}, nil
}

// score opens a set of images and returns it with their scores. The caller must close the set.
func score(ctx context.Context, c *command.Common, det *line.Detector, p nets.Preprocessing,
	images string) (*scored, error) {
	s, err := openScored(images)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if s.Scores, err = s.collect(ctx, c, det, p); err != nil {
		return nil, errors.Join(fmt.Errorf("--data %s: %w", images, err), s.set.Close())
	}
	return s, nil
}

// collect returns the scores of the set's images.
func (s *scored) collect(ctx context.Context, c *command.Common, det *line.Detector,
	p nets.Preprocessing) (*line.Scores, error) {
	if err := c.Limit(det.Network(), s.set.Len()); err != nil {
		return nil, err
	}
	prog, err := det.Compile(c.GraphOptions())
	if err != nil {
		return nil, err
	}
	stream, finish := c.Stream(ctx, "score", s.set, p)
	defer finish()
	return det.Collect(ctx, prog, stream)
}
