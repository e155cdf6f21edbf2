package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
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
			if err := checkOutputs([]file{{"--out", out}}, file{"--weights", net.weights}, data("--data", images)); err != nil {
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

// writeFeatures streams features to the file as they come; only logits and labels are held to the end.
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
	n := set.Len()
	err = npyz.CreateNpz(out, npyz.Stored, func(w *npyz.Writer) error {
		rows, err := npyz.NewRows[float32](w, "features", n, net.Dim())
		if err != nil {
			return err
		}
		logits := make([]float32, 0, n*net.Classes())
		labels := make([]int64, 0, n)
		for o, err := range prog.Run(ctx, stream) {
			if err != nil {
				return err
			}
			if err := rows.Write(o.Float32(nets.Features)); err != nil {
				return err
			}
			logits = append(logits, o.Float32(nets.Logits)...)
			for _, l := range o.Labels {
				labels = append(labels, int64(l))
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
		if err := w.Write("logits", npyz.New(logits, n, net.Classes())); err != nil {
			return err
		}
		return w.Write("labels", npyz.New(labels))
	})
	return n, err
}
