package cli

import (
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
)

// verdictFlags choose the threshold of out-of-distribution verdicts.
type verdictFlags struct {
	value, tpr      float64
	given, tprGiven bool
}

func (v *verdictFlags) register(cmd *cobra.Command) {
	cmd.Flags().Float64Var(&v.value, "threshold", 0, "call an image ood unless its score is above this; the default is the detector's own threshold")
	cmd.Flags().Float64Var(&v.tpr, "tpr", 95, "take the threshold above which so many percent of the fitted images lie")
}

func (v *verdictFlags) check(cmd *cobra.Command) error {
	v.given, v.tprGiven = cmd.Flags().Changed("threshold"), cmd.Flags().Changed("tpr")
	switch {
	case v.given && v.tprGiven:
		return command.Usagef("--threshold and --tpr both choose the threshold: give one")
	case v.given && (math.IsNaN(v.value) || math.IsInf(v.value, 0)):
		return command.Usagef("--threshold %v: expected a finite number", v.value)
	case !(v.tpr > 0 && v.tpr < 100):
		return command.Usagef("--tpr %v: expected percent between 0 and 100", v.tpr)
	}
	return nil
}

// threshold returns the threshold that was asked for, and whether there is one.
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

// summary counts the verdicts.
func (s *scored) summary() string {
	if !s.verdict {
		return "; the detector holds no threshold, --threshold gives one"
	}
	n := 0
	for i := range s.Score {
		if s.ood(i) {
			n++
		}
	}
	return fmt.Sprintf(", %d of them ood (score at or below %.6g)", n, s.threshold)
}
