package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

func newCalibrate() *cobra.Command {
	var (
		c                     command.Common
		net                   command.Network
		detector, images, out string
		promise               promiseFlags
		perClass              bool
		fewest                int
	)
	cmd := &cobra.Command{
		Use:   "calibrate --detector det.npz --data DATA --out calibrated.npz",
		Short: "Give a detector a threshold whose false-alarm rate is promised",
		Long: `Score held-out in-distribution images, which neither the detector nor the network has seen, and store the scores in the detector.
goline score then writes a p-value for each image: the smaller, the stranger. Of in-distribution images a share of at most A has a
p-value of at most A, for every A and whatever the detector (conformal prediction). Images that the detector was fitted to are refused.

--alpha A is the rate of false alarms that the stored threshold keeps. It needs at least 1/A - 1 images; with too few the command says
how many are missing. Without --adjust rates hold on average over calibrations, and the share that the realised rate of this
calibration does not exceed with probability 1 - D (--delta) is printed. With --adjust they hold for this calibration with probability 1 - D:
  pointwise     for one rate chosen beforehand, as a threshold asks; the tightest
  simes, dkw, asymptotic, monte-carlo   for all rates at once (Bates et al. 2023), as --fdr of goline score asks
--per-class calibrates each predicted class by itself, where at least --class-min images are predicted as it. Classes with fewer share
a calibration: their rates hold over them together.`,
		Example: `  goline calibrate --detector det.npz --data held-out/ --alpha 0.05 --out calibrated.npz
  goline score --detector calibrated.npz --data photos/ --out scores.csv`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := command.Required("--detector", detector, "--data", images, "--out", out); err != nil {
				return err
			}
			o, err := promise.options(cmd, conformal.Options{})
			if err != nil {
				return err
			}
			switch {
			case fewest < 1:
				return command.Usagef("--class-min %d: expected at least 1", fewest)
			case perClass:
				o.MinPerClass = fewest
			case cmd.Flags().Changed("class-min"):
				return command.Usagef("--class-min is of --per-class: give both")
			}
			err = command.CheckOutputs(command.OutputAs("--out", out, ".npz"),
				append(net.Inputs(), command.InputFile("--detector", detector), command.InputData("--data", images))...)
			if err != nil {
				return err
			}
			det, n, err := net.Detector(detector)
			if err != nil {
				return err
			}
			if err := checkHeldOut(cmd.Context(), &c, det, images); err != nil {
				return fmt.Errorf("--data %s: %w", images, err)
			}
			s, err := score(cmd.Context(), &c, det, n.Preprocessing(), images)
			if err != nil {
				return err
			}
			defer s.set.Close()
			calibrated, err := det.Calibrate(s.Scores, s.hashes(), o)
			if err != nil {
				return fmt.Errorf("--data %s: %w", images, err)
			}
			if len(det.FitPictures()) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(),
					"goline: %s does not say which images it was fitted to: that these are others cannot be checked\n",
					detector)
			}
			if err := calibrated.Save(out); err != nil {
				return err
			}
			return tellCalibration(cmd.OutOrStdout(), out, calibrated)
		},
	}
	c.Register(cmd)
	net.Register(cmd)
	cmd.Flags().StringVar(&detector, "detector", "", "`FILE` that goline fit wrote")
	cmd.Flags().StringVar(&images, "data", "", "held-out in-distribution images: `DATA`, [format:]path")
	cmd.Flags().StringVar(&out, "out", "", "calibrated detector `FILE` to write, an npz")
	promise.register(cmd, "wanted share of false alarms among in-distribution images")
	cmd.Flags().BoolVar(&perClass, "per-class", false, "calibrate each predicted class by itself")
	cmd.Flags().IntVar(&fewest, "class-min", 100,
		"images predicted as a class from which on it has a calibration of its own")
	return cmd
}

// checkHeldOut fails where the detector was fitted to some of the images, before any of them is scored.
func checkHeldOut(ctx context.Context, c *command.Common, det *line.Detector, images string) error {
	if len(det.FitPictures()) == 0 {
		return nil
	}
	s, err := openScored(images)
	if err != nil {
		return err
	}
	defer s.set.Close()
	workers := c.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if err := s.set.HashAll(ctx, workers); err != nil {
		return err
	}
	err = det.CheckHeldOut(s.hashes())
	if fitted := (*line.FittedError)(nil); errors.As(err, &fitted) {
		return fmt.Errorf("expected images that the detector was not fitted to, but %d of %d are some, the first of "+
			"them %s",
			fitted.Count, fitted.Of, s.set.ID(fitted.First))
	}
	return err
}

// promiseFlags hold the promised rate of false alarms, and what the promise holds for.
type promiseFlags struct {
	alpha, delta float64
	adjust       string
}

func (p *promiseFlags) register(cmd *cobra.Command, alpha string) {
	d := conformal.Options{}.WithDefaults()
	cmd.Flags().Float64Var(&p.alpha, "alpha", d.Alpha, alpha)
	cmd.Flags().Float64Var(&p.delta, "delta", d.Delta,
		"probability that what is said of this very calibration does not hold")
	cmd.Flags().StringVar(&p.adjust, "adjust", d.Adjustment.String(),
		"for what rates hold: marginal, pointwise, simes, dkw, asymptotic or monte-carlo")
}

// options returns o with the values of the flags that were given.
func (p *promiseFlags) options(cmd *cobra.Command, o conformal.Options) (conformal.Options, error) {
	o = o.WithDefaults()
	if cmd.Flags().Changed("alpha") {
		if !(p.alpha > 0 && p.alpha < 1) {
			return o, command.Usagef("--alpha %v: expected a share between 0 and 1", p.alpha)
		}
		o.Alpha = p.alpha
	}
	if cmd.Flags().Changed("delta") {
		if !(p.delta > 0 && p.delta < 1) {
			return o, command.Usagef("--delta %v: expected a probability between 0 and 1", p.delta)
		}
		o.Delta = p.delta
	}
	if cmd.Flags().Changed("adjust") {
		a, err := conformal.ParseAdjustment(p.adjust)
		if err != nil {
			return o, command.Usagef("--adjust %q: expected marginal, pointwise, simes, dkw, asymptotic or monte-carlo",
				p.adjust)
		}
		o.Adjustment = a
	}
	return o, nil
}

// tellCalibration prints what the calibration promises.
func tellCalibration(w io.Writer, out string, det *line.Detector) error {
	c, err := det.Calibrator()
	if err != nil {
		return err
	}
	o := c.Options()
	thresholds, err := c.Thresholds(o.Alpha)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: calibrated on %d images", out, c.N())
	if d := c.All().Distinct(); 10*d < 9*c.N() {
		fmt.Fprintf(&b, " with only %d different scores, which makes p-values larger than they need be", d)
	}
	b.WriteString("\n")
	if o.Adjustment == conformal.Marginal {
		fmt.Fprintf(&b, "of in-distribution images at most %.4g %% are called ood, on average over calibrations\n",
			100*o.Alpha)
	} else {
		fmt.Fprintf(&b, "of in-distribution images at most %.4g %% are called ood, with probability %.4g %% (%s)\n",
			100*o.Alpha, 100*(1-o.Delta), o.Adjustment)
	}
	if c.PerClass() == nil {
		t := thresholds[0]
		bound, err := t.Bound(o.Delta)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "threshold: a score below %.6g, the %s lowest of %d\n", t.Score, ordinal(t.Rank), t.N)
		fmt.Fprintf(&b, "the realised rate of this threshold is at most %.4g %% with probability %.4g %%\n", 100*bound,
			100*(1-o.Delta))
		_, err = io.WriteString(w, b.String())
		return err
	}
	rows := command.NewTable(2, "class", "compared with", "images", "threshold",
		fmt.Sprintf("rate at most %% (%.4g %%)", 100*(1-o.Delta)))
	for k, t := range thresholds {
		_, group := c.PerClass().For(k)
		bound, err := t.Bound(o.Delta)
		if err != nil {
			return err
		}
		rows.AppendRow(table.Row{fmt.Sprint(k), group.String(), fmt.Sprint(t.N), fmt.Sprintf("%.6g", t.Score),
			fmt.Sprintf("%.4g", 100*bound)})
	}
	_, err = fmt.Fprintf(w, "%s%s\n", b.String(), rows.Render())
	return err
}

// ordinal returns n as an ordinal number: "21st".
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n) + suffix
}
