package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

func newFeatures() *cobra.Command {
	var (
		c           command.Common
		net         command.Network
		sharding    command.Sharding
		images, out string
	)
	cmd := &cobra.Command{
		Use:   "features --net NAME --weights FILE --data DATA --out F.npz",
		Short: "Write penultimate features and logits of images",
		Long: `Run a network over images and write an npz file with
  features  float32 (images, neurons)   penultimate activations
  logits    float32 (images, classes)
  labels    int64   (images)            -1 where unknown
With --shard the file is of a part of the images, for goline merge.`,
		Example: `  goline features --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --data test_batch.bin --out test.npz`,
		Args:    command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required(append(net.Needs(), "--data", images, "--out", out)...); err != nil {
				return err
			}
			if err := sharding.Check(); err != nil {
				return err
			}
			if err := command.CheckOutputs(command.Outputs("--out", out), append(net.Inputs(), command.InputData("--data", images))...); err != nil {
				return err
			}
			n, err := net.Open()
			if err != nil {
				return err
			}
			count, err := writeFeatures(cmd.Context(), &c, &net, n, images, &sharding, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images, %d features, %d classes\n", out, count, n.Dim(), n.Classes())
			return err
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	sharding.Register(cmd)
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "npz `FILE` to write")
	return cmd
}

// writeFeatures returns the number of images.
func writeFeatures(ctx context.Context, c *command.Common, flags *command.Network, net nets.Classifier, images string, sharding *command.Sharding, out string) (int, error) {
	set, err := flags.Data("--data", images)
	if err != nil {
		return 0, err
	}
	defer set.Close()
	set, extent, err := sharding.Take(set, command.MadeBy(net, "features"))
	if err != nil {
		return 0, err
	}
	if err := c.Limit(net, set.Len()); err != nil {
		return 0, err
	}
	prog, err := graph.Compile(net, c.GraphOptions())
	if err != nil {
		return 0, err
	}
	stream, finish := c.Stream(ctx, "features", set, net.Preprocessing())
	defer finish()
	if extent != nil {
		err = eval.WriteFeaturesShard(ctx, out, prog, net, stream, *extent)
	} else {
		err = eval.WriteFeatures(ctx, out, prog, net, stream, set.Len())
	}
	if err != nil {
		return 0, err
	}
	return set.Len(), nil
}
