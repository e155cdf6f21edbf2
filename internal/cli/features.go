package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/parquetfile"
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
A file that ends in .parquet has a row for each image: id, label (null where unknown) and the lists features and logits, with the
network, preprocessing and version in its metadata; with --shard it is of a part of the images, and a folder of the parts is one table.
With --shard an npz file is of a part of the images, for goline merge.
--data tar:- reads a tar archive from standard input, once and as it comes; gzip is unpacked, each label must stand beside its picture,
and the file is a .parquet.`,
		Example: `  goline features --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --data test_batch.bin ` +
			`--out test.npz`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required(append(net.Needs(), "--data", images, "--out", out)...); err != nil {
				return err
			}
			if err := sharding.Check(); err != nil {
				return err
			}
			if images == command.StreamedData {
				switch {
				case sharding.Given():
					return errShardedStream
				case !parquetfile.Is(out):
					return command.Usagef("--data %s: expected --out with the ending .parquet, because an npz file "+
						"begins with the number of images, got %s", images, out)
				}
			}
			if err := command.CheckOutputs(command.OutputAs("--out", out, ".npz", ".parquet"),
				append(net.Inputs(), command.InputData("--data", images))...); err != nil {
				return err
			}
			n, err := net.Open()
			if err != nil {
				return err
			}
			set := dataset.Dataset(command.Streamed(cmd.InOrStdin()))
			if images != command.StreamedData {
				if set, err = net.Data("--data", images); err != nil {
					return err
				}
			}
			defer set.Close()
			count, err := writeFeatures(cmd.Context(), &c, n, set, images, &sharding, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images, %d features, %d classes\n", out, count,
				n.FeatureDim(), n.Classes())
			return err
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	sharding.Register(cmd)
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "`FILE` to write, .parquet or npz")
	return cmd
}

// writeFeatures writes the features of a set, or of a shard of it, and returns the number of images. images names the
// set.
func writeFeatures(ctx context.Context, c *command.Common, net nets.Classifier, set dataset.Dataset, images string,
	sharding *command.Sharding, out string) (int, error) {
	set, extent, err := sharding.Take(set, command.MadeBy(net, "features "+c.Precision))
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
	if parquetfile.Is(out) {
		meta := command.Provenance(net, "features", images)
		meta["units"] = "features: penultimate activations; logits: nats; both float32, one list for each image"
		err := eval.WriteFeaturesParquet(ctx, out, prog, net, stream, set.ID, meta)
		return set.Len(), err
	}
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
