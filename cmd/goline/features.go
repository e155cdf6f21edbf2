package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

func newFeatures() *cobra.Command {
	var (
		c         common
		net       network
		data, out string
	)
	cmd := &cobra.Command{
		Use:   "features --net NAME --weights FILE --data DATA --out F.npz",
		Short: "Write penultimate features and logits of images",
		Long: `Run a network over images and write an npz file with
  features  float32 (images, neurons)   penultimate activations
  logits    float32 (images, classes)
  labels    int64   (images)            -1 where unknown`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("--data", data, "--out", out); err != nil {
				return err
			}
			n, err := net.open()
			if err != nil {
				return err
			}
			count, err := c.writeFeatures(cmd.Context(), n, data, out)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d images, %d features, %d classes\n", out, count, n.Features(), n.Classes())
			return nil
		},
	}
	c.register(cmd)
	net.register(cmd)
	cmd.Flags().StringVar(&data, "data", "", "images: [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "npz file to write")
	return cmd
}

// writeFeatures streams features to the file as they come; only logits and labels are held to the end.
func (c *common) writeFeatures(ctx context.Context, net *nets.Network, data, out string) (int, error) {
	prog, err := graph.Compile(net, c.options())
	if err != nil {
		return 0, err
	}
	set, stream, done, err := c.images(ctx, "features", data, net.Preprocessing())
	if err != nil {
		return 0, err
	}
	defer done()
	n := set.Len()
	err = npyz.CreateNpz(out, npyz.Stored, func(w *npyz.Writer) error {
		rows, err := npyz.NewRows[float32](w, "features", n, net.Features())
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
