package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

func newFit() *cobra.Command {
	var (
		c           command.Common
		net         command.Network
		l           command.LINe
		given       command.Contributions
		method      methodFlags
		sharding    command.Sharding
		images, out string
	)
	cmd := &cobra.Command{
		Use:   "fit --net NAME --weights FILE --data DATA --out det.npz",
		Short: "Fit LINe, or another detector, to a network on training images",
		Long: `Measure how much each neuron contributes to each class on labelled training images, and write a detector.
The file holds the network too: goline score needs nothing else. With --method another detector than LINe is fitted, of those that
goline methods lists; what it learned is in the file.
The file also holds a hash of each image, so that goline calibrate can refuse them.
With --shard the file is what LINe takes from a part of the images; goline merge makes the detector of all parts, the same bits as in one run.`,
		Example: `  goline fit --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --data 'data_batch_*.bin' ` +
			`--out detector.npz`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required(append(net.Needs(), "--data", images, "--out", out)...); err != nil {
				return err
			}
			params, err := method.parse()
			if err != nil {
				return err
			}
			if err := sharding.Check(); err != nil {
				return err
			}
			if sharding.Given() && method.name != "line" {
				return command.Usagef("--shard: expected --method line, got %s, which needs the features of all "+
					"images at once", method.name)
			}
			if given.File != "" && method.name != "line" {
				return command.Usagef("--contributions: expected --method line, got %s", method.name)
			}
			l.Warn(cmd.ErrOrStderr())
			o, err := l.Options()
			if err != nil {
				return err
			}
			if err := command.CheckOutputs(command.OutputAs("--out", out, ".npz"),
				append(net.Inputs(), command.InputData("--data", images), given.Input())...); err != nil {
				return err
			}
			if err := given.Check(); err != nil {
				return err
			}
			n, err := net.Open()
			if err != nil {
				return err
			}
			if o.Source, err = given.Source(n, net.SHA256); err != nil {
				return err
			}
			if sharding.Given() {
				return fitShard(cmd, &c, &net, n, images, &sharding, o, out)
			}
			var det *line.Detector
			var count int
			if method.name == "line" {
				det, count, err = fitDetector(cmd.Context(), &c, &net, n, images, o)
			} else {
				det, count, err = fitMethod(cmd.Context(), &c, &net, n, images, method.name, params)
			}
			if err != nil {
				return err
			}
			if err := det.Save(out); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: fitted to %d images of %d classes\n", out, count, n.Classes())
			return err
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	l.Register(cmd)
	given.Register(cmd)
	sharding.Register(cmd)
	cmd.Flags().StringVar(&images, "data", "", "labelled training images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "detector `FILE` to write, an npz")
	cmd.Flags().StringVar(&method.name, "method", "line", "`METHOD` to fit, see goline methods")
	cmd.Flags().StringArrayVar(&method.params, "param", nil, "parameter of the method: `METHOD.NAME=VALUE`; repeatable")
	return cmd
}

// fitDetector fits a detector and returns it with the number of images that it was fitted to.
func fitDetector(ctx context.Context, c *command.Common, flags *command.Network, net nets.Classifier, images string,
	o line.Options) (*line.Detector, int, error) {
	set, err := flags.Data("--data", images)
	if err != nil {
		return nil, 0, err
	}
	defer set.Close()
	if err := eval.CheckTraining(set, net.Classes()); err != nil {
		return nil, 0, fmt.Errorf("--data %w", err)
	}
	if err := c.Limit(net, set.Len()); err != nil {
		return nil, 0, err
	}
	prog, err := graph.Compile(net, c.GraphOptions())
	if err != nil {
		return nil, 0, err
	}
	hashed := dataset.WithHashes(set)
	stream, finish := c.Stream(ctx, "fit", hashed, net.Preprocessing())
	defer finish()
	det, err := line.Fit(ctx, prog, stream, o)
	if err != nil {
		return nil, 0, fmt.Errorf("--data %s: %w", images, err)
	}
	return det.WithFitPictures(hashed.Hashes()), set.Len(), nil
}

// fitShard writes the statistics that LINe takes from the images of one shard.
func fitShard(cmd *cobra.Command, c *command.Common, flags *command.Network, net nets.Classifier, images string,
	sharding *command.Sharding, o line.Options, out string) error {
	set, err := flags.Data("--data", images)
	if err != nil {
		return err
	}
	defer set.Close()
	if err := eval.CheckTraining(set, net.Classes()); err != nil {
		return fmt.Errorf("--data %w", err)
	}
	labels := set.Labels()
	part, extent, err := sharding.Take(set, command.MadeBy(net, fmt.Sprint("fit ", c.Precision, o.Params(), o.Source)))
	if err != nil {
		return err
	}
	if err := c.Limit(net, part.Len()); err != nil {
		return err
	}
	prog, err := graph.Compile(net, c.GraphOptions())
	if err != nil {
		return err
	}
	hashed := dataset.WithHashes(part)
	stream, finish := c.Stream(cmd.Context(), "fit", hashed, net.Preprocessing())
	defer finish()
	s, err := line.MeasurePart(cmd.Context(), prog, stream, labels[:extent.First], *extent, o)
	if err != nil {
		return fmt.Errorf("--data %s: %w", images, err)
	}
	if err := s.WithPictures(hashed.Hashes()).Save(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: shard %d/%d, %d of %d images\n", out, extent.Index, extent.Count,
		extent.Images, extent.Total)
	return err
}
