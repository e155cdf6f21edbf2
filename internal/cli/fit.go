package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
)

// lineFlags are LINe's parameters.
type lineFlags struct {
	pA, pW, clip float64
	without      []string
}

func (l *lineFlags) register(cmd *cobra.Command) {
	d := line.DefaultOptions()
	f := cmd.Flags()
	f.Float64Var(&l.pA, "p-a", d.ActivationPercentile, "percent of neurons dropped per class (activation pruning)")
	f.Float64Var(&l.pW, "p-w", d.WeightPercentile, "percent of last-layer weights dropped per class (weight pruning)")
	f.Float64Var(&l.clip, "clip", d.Clip, "upper bound of activations (activation clipping)")
	f.StringSliceVar(&l.without, "without", nil, "switch `COMPONENTS` off: ac (clipping), ap (activation pruning), wp (weight pruning)")
}

// warn tells a user who gave a fraction where percent are meant.
func (l *lineFlags) warn(w io.Writer) {
	for _, f := range []struct {
		flag  string
		value float64
	}{{"--p-a", l.pA}, {"--p-w", l.pW}} {
		if f.value > 0 && f.value < 1 {
			fmt.Fprintf(w, "goline: warning: %s %v is in percent; for a share of %v write %s %v\n", f.flag, f.value, f.value, f.flag, 100*f.value)
		}
	}
}

func (l *lineFlags) options() (line.Options, error) {
	o := line.Options{ActivationPercentile: line.Percent(l.pA), WeightPercentile: line.Percent(l.pW), Clip: l.clip}
	for _, w := range l.without {
		switch strings.ToLower(strings.TrimSpace(w)) {
		case "ac":
			o.NoClipping = true
		case "ap":
			o.NoActivationPruning = true
		case "wp":
			o.NoWeightPruning = true
		default:
			return o, usagef("--without %q: expected ac, ap or wp", w)
		}
	}
	if l.clip == 0 && !o.NoClipping {
		return o, usagef("--clip 0 is not a positive number")
	}
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// params are the options as parameters of the registered method.
func (l *lineFlags) params() map[string]float64 {
	p := map[string]float64{"p_a": l.pA, "p_w": l.pW, "clip": l.clip}
	for _, w := range l.without {
		switch w = strings.ToLower(strings.TrimSpace(w)); w {
		case "ac", "ap", "wp":
			p[w] = 0
		}
	}
	return p
}

func newFit() *cobra.Command {
	var (
		c           common
		net         network
		l           lineFlags
		images, out string
	)
	cmd := &cobra.Command{
		Use:   "fit --net NAME --weights FILE --data DATA --out det.npz",
		Short: "Fit LINe to a network on labelled training images",
		Long: `Measure how much each neuron contributes to each class on labelled training images, and write a detector.
The file holds the network too: goline score needs nothing else.`,
		Example: `  goline fit --net densenet-bc-100-12 --weights checkpoint_100.pth.tar --data 'data_batch_*.bin' --out detector.npz`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("--net", net.name, "--weights", net.weights, "--data", images, "--out", out); err != nil {
				return err
			}
			l.warn(cmd.ErrOrStderr())
			o, err := l.options()
			if err != nil {
				return err
			}
			if err := checkOutputs([]file{{"--out", out}}, inputFile("--weights", net.weights), inputData("--data", images)); err != nil {
				return err
			}
			n, err := net.open()
			if err != nil {
				return err
			}
			det, count, err := c.fitDetector(cmd.Context(), n, images, o)
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
	c.register(cmd)
	net.register(cmd)
	l.register(cmd)
	cmd.Flags().StringVar(&images, "data", "", "labelled training images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "detector `FILE` to write, an npz")
	return cmd
}

// fitDetector returns the detector and the number of images that it was fitted to.
func (c *common) fitDetector(ctx context.Context, net *nets.Network, images string, o line.Options) (*line.Detector, int, error) {
	set, err := dataset.Open(images)
	if err != nil {
		return nil, 0, fmt.Errorf("--data: %w", err)
	}
	defer set.Close()
	if err := eval.CheckTraining(set, net.Classes()); err != nil {
		return nil, 0, fmt.Errorf("--data %w", err)
	}
	prog, err := graph.Compile(net, c.options())
	if err != nil {
		return nil, 0, err
	}
	stream, finish := c.stream(ctx, "fit", set, net.Preprocessing())
	defer finish()
	det, err := line.Fit(ctx, prog, stream, o)
	if err != nil {
		return nil, 0, fmt.Errorf("--data %s: %w", images, err)
	}
	return det, set.Len(), nil
}
