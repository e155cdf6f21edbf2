package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// verdictFlags are the flags that choose how verdicts are reached.
type verdictFlags struct {
	value, tpr      float64
	given, tprGiven bool
	promise         promiseFlags
	fdr             string
	stream          bool
	level           float64
	betting         string
	calibrated      string // the flag that needs a calibrated detector, "" for none
}

// batchProcedures are the procedures that control the false discovery rate over a whole set.
var batchProcedures = []string{"bh", "storey", "by"}

func (v *verdictFlags) register(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&v.value, "threshold", 0,
		"call an image ood unless its score is above this; the default is the detector's own threshold")
	cmd.Flags().Float64Var(&v.tpr, "tpr", 95, "take the threshold above which so many percent of the fitted images lie")
	v.promise.register(cmd,
		"false-alarm rate of ood, or with --fdr its false discovery rate; the default is the detector's")
	names := slices.Clone(batchProcedures)
	for _, p := range conformal.Procedures() {
		names = append(names, string(p))
	}
	cmd.Flags().StringVar(&v.fdr, "fdr", "", "decide over all images by a false discovery rate: `PROCEDURE` "+
		strings.Join(names, ", "))
	cmd.Flags().BoolVar(&v.stream, "stream", false, "write each image as it is scored, and watch for drift")
	cmd.Flags().Float64Var(&v.level, "alarm-level", 0.01,
		"with --stream, probability of ever raising an alarm while nothing drifts")
	cmd.Flags().StringVar(&v.betting, "betting", string(conformal.Both),
		"with --stream, how the martingale bets: jumper, power or both")
}

func (v *verdictFlags) check(cmd *cobra.Command) error {
	v.given, v.tprGiven = cmd.Flags().Changed("threshold"), cmd.Flags().Changed("tpr")
	for _, name := range []string{"alpha", "delta", "adjust", "fdr", "stream"} {
		if cmd.Flags().Changed(name) {
			v.calibrated = "--" + name
		}
	}
	switch {
	case v.given && v.tprGiven:
		return command.Usagef("--threshold and --tpr both choose the threshold: give one")
	case v.given && (math.IsNaN(v.value) || math.IsInf(v.value, 0)):
		return command.Usagef("--threshold %v: expected a finite number", v.value)
	case !(v.tpr > 0 && v.tpr < 100):
		return command.Usagef("--tpr %v: expected percent between 0 and 100", v.tpr)
	}
	for _, name := range []string{"alpha", "fdr"} {
		if (v.given || v.tprGiven) && cmd.Flags().Changed(name) {
			return command.Usagef("--%s and --threshold or --tpr both choose what is ood: give one", name)
		}
	}
	for _, name := range []string{"alarm-level", "betting"} {
		if !v.stream && cmd.Flags().Changed(name) {
			return command.Usagef("--%s is of --stream: give both", name)
		}
	}
	online := slices.Contains(conformal.Procedures(), conformal.Procedure(v.fdr))
	switch {
	case v.fdr != "" && !online && !slices.Contains(batchProcedures, v.fdr):
		return command.Usagef("--fdr %q: expected one of %s, %s", v.fdr, strings.Join(batchProcedures, ", "),
			joinProcedures())
	case v.stream && v.fdr != "" && !online:
		return command.Usagef("--fdr %s decides over a whole set; with --stream expected one of %s", v.fdr,
			joinProcedures())
	case !(v.level > 0 && v.level < 1):
		return command.Usagef("--alarm-level %v: expected a probability between 0 and 1", v.level)
	}
	if _, err := conformal.ParseBetting(v.betting); err != nil {
		return command.Usagef("--betting %q: expected jumper, power or both", v.betting)
	}
	_, err := v.promise.options(cmd, conformal.Options{})
	return err
}

func joinProcedures() string {
	names := make([]string, 0, len(conformal.Procedures()))
	for _, p := range conformal.Procedures() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// threshold returns the threshold that the flags ask for, and whether there is one.
func (v *verdictFlags) threshold(det *line.Detector) (t float64, known bool, err error) {
	if v.given {
		return v.value, true, nil
	}
	t, err = det.Threshold(v.tpr / 100)
	if errors.Is(err, line.ErrNoThreshold) && !v.tprGiven {
		return 0, false, nil
	}
	return t, err == nil, err
}

// judge returns the judge for the images of one run.
func (v *verdictFlags) judge(cmd *cobra.Command, det *line.Detector, seed uint64) (*judge, error) {
	j := &judge{}
	r, err := det.CalibrationRecord()
	if err != nil {
		if v.calibrated != "" {
			return nil, fmt.Errorf("%s asks for a calibrated detector: goline calibrate makes one", v.calibrated)
		}
		j.threshold, j.judged, err = v.threshold(det)
		return j, err
	}
	before := r.Options
	if r.Options, err = v.promise.options(cmd, r.Options); err != nil {
		return nil, err
	}
	if r.Options.Adjustment == before.Adjustment && r.Options.Delta == before.Delta {
		j.calibrator, err = det.Calibrator()
	} else {
		j.calibrator, err = conformal.NewCalibrator(r)
	}
	if err != nil {
		return nil, err
	}
	j.alpha = r.Options.Alpha
	if v.stream {
		o := conformal.DriftOptions{Level: v.level, Betting: conformal.Betting(v.betting), Seed: seed}
		if j.drift, err = conformal.NewDrift(j.calibrator.All(), o); err != nil {
			return nil, err
		}
	}
	switch {
	case v.given || v.tprGiven:
		j.threshold, j.judged, err = v.threshold(det)
		j.fixed = true
	case v.fdr != "":
		j.judged = true
		err = j.control(v.fdr)
	default:
		j.judged = true
		j.thresholds, err = j.calibrator.Thresholds(j.alpha)
	}
	return j, err
}

// madeBy returns a text that identifies what the scores of a shard depend on: the detector's file, the preprocessing of
// the images and the flags of verdicts.
func (v *verdictFlags) madeBy(cmd *cobra.Command, net nets.Classifier, detector string) (string, error) {
	sha, err := weights.SHA256(detector)
	if err != nil {
		return "", err
	}
	text := sha
	for _, name := range []string{"threshold", "tpr", "alpha", "delta", "adjust", "class-names", "precision"} {
		text += fmt.Sprintf(" %s=%s", name, cmd.Flags().Lookup(name).Value)
	}
	return command.MadeBy(net, text), nil
}
