package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

func newFeatures() *cobra.Command {
	var (
		c           common
		net         network
		images, out string
	)
	cmd := &cobra.Command{
		Use:   "features --net NAME --weights FILE --data DATA --out F.npz",
		Short: "Write penultimate features and logits of images",
		Long: `Run a network over images and write an npz file with
  features  float32 (images, neurons)   penultimate activations
  logits    float32 (images, classes)
  labels    int64   (images)            -1 where unknown`,
		Example: `  goline features --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --data test_batch.bin --out test.npz`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("--net", net.name, "--weights", net.weights, "--data", images, "--out", out); err != nil {
				return err
			}
			if err := checkOutputs([]file{{"--out", out}}, inputFile("--weights", net.weights), inputData("--data", images)); err != nil {
				return err
			}
			n, err := net.open()
			if err != nil {
				return err
			}
			count, err := c.writeFeatures(cmd.Context(), n, images, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images, %d features, %d classes\n", out, count, n.Dim(), n.Classes())
			return err
		},
	}
	c.register(cmd)
	net.register(cmd)
	cmd.Flags().StringVar(&images, "data", "", "images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "npz `FILE` to write")
	return cmd
}

// writeFeatures returns the number of images.
func (c *common) writeFeatures(ctx context.Context, net *nets.Network, images, out string) (int, error) {
	set, err := dataset.Open(images)
	if err != nil {
		return 0, fmt.Errorf("--data: %w", err)
	}
	defer set.Close()
	prog, err := graph.Compile(net, c.options())
	if err != nil {
		return 0, err
	}
	stream, finish := c.stream(ctx, "features", set, net.Preprocessing())
	defer finish()
	return set.Len(), eval.WriteFeatures(ctx, out, prog, net, stream, set.Len())
}
