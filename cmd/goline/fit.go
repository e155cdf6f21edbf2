package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
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
	f.StringSliceVar(&l.without, "without", nil, "switch components off: ac (clipping), ap (activation pruning), wp (weight pruning)")
}

func (l *lineFlags) options() (line.Options, error) {
	o := line.Options{ActivationPercentile: l.pA, WeightPercentile: l.pW, Clip: l.clip}
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
	if err := o.Check(); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

func newFit() *cobra.Command {
	var (
		c         common
		net       network
		l         lineFlags
		data, out string
	)
	cmd := &cobra.Command{
		Use:   "fit --net NAME --weights FILE --data DATA --out det.npz",
		Short: "Fit LINe to a network on labelled training images",
		Long: `Measure how much each neuron contributes to each class on labelled training images, and write a detector.
The file holds the network too: goline score needs nothing else.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required("--data", data, "--out", out); err != nil {
				return err
			}
			o, err := l.options()
			if err != nil {
				return err
			}
			n, err := net.open()
			if err != nil {
				return err
			}
			prog, err := graph.Compile(n, c.options())
			if err != nil {
				return err
			}
			set, stream, done, err := c.images(cmd.Context(), "fit", data, n.Preprocessing())
			if err != nil {
				return err
			}
			defer done()
			det, err := line.Fit(cmd.Context(), prog, stream, o)
			if err != nil {
				return fmt.Errorf("%s: %w", data, err)
			}
			if err := det.Save(out); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: fitted to %d images of %d classes\n", out, set.Len(), n.Classes())
			return nil
		},
	}
	c.register(cmd)
	net.register(cmd)
	l.register(cmd)
	cmd.Flags().StringVar(&data, "data", "", "labelled training images: [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "detector file to write")
	return cmd
}
