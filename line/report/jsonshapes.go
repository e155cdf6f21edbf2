package report

import (
	"encoding/json"

	"github.com/line-ood/goline/line/metrics"
)

// idJSON is the JSON form of an ID set with its accuracy.
type idJSON struct {
	N          int
	Accuracy   percent
	AccuracySD percent     `json:"accuracy_sd"`
	AccuracyCI *[2]percent `json:"accuracy_ci"`
}

func (j idJSON) id() ID {
	return ID{N: j.N, Accuracy: float64(j.Accuracy), AccuracyCI: interval(j.AccuracyCI),
		AccuracySpread: float64(j.AccuracySD)}
}

// setsJSON is the JSON form of a method's OOD sets, with the standard deviations of their averages.
type setsJSON struct {
	OOD     json.RawMessage
	Average spreadJSON
	Groups  map[string]spreadJSON
}

// spreadJSON is the JSON form of standard deviations over checkpoints.
type spreadJSON struct {
	FPR95   percent `json:"fpr95_sd"`
	AUROC   percent `json:"auroc_sd"`
	OpenOOD percent `json:"fpr95_openood_sd"`
}

func (j spreadJSON) spread() Average {
	return Average{FPR95: float64(j.FPR95), AUROC: float64(j.AUROC), FPR95OpenOOD: float64(j.OpenOOD)}
}

type tuningJSON struct {
	ID     string
	OOD    []string
	Pseudo bool
	Trials []struct {
		Params       map[string]float64
		AUROC, FPR95 percent
	}
}

func (j *tuningJSON) tuning() *Tuning {
	if j == nil {
		return nil
	}
	t := &Tuning{ID: j.ID, OOD: j.OOD, Pseudo: j.Pseudo}
	for _, trial := range j.Trials {
		t.Trials = append(t.Trials, Trial{Params: trial.Params, AUROC: float64(trial.AUROC),
			FPR95: float64(trial.FPR95)})
	}
	return t
}

type comparisonJSON struct {
	A, B       string
	Difference percent
	CI         [2]percent `json:"difference_ci"`
	P          float64
	Adjusted   float64 `json:"p_adjusted"`
}

func (j comparisonJSON) comparison() Comparison {
	return Comparison{
		A: j.A, B: j.B, Difference: float64(j.Difference),
		CI: metrics.Interval{Lo: float64(j.CI[0]), Hi: float64(j.CI[1])}, P: j.P, Adjusted: j.Adjusted,
	}
}
