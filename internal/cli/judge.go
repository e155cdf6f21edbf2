package cli

import (
	"fmt"
	"slices"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/conformal"
)

// judge decides whether images are out-of-distribution, and counts the verdicts.
type judge struct {
	judged bool // whether there are verdicts
	// threshold decides where the detector is not calibrated, or where the user has set a threshold (fixed): an image
	// is OOD if its score is at or below it.
	threshold float64
	fixed     bool

	calibrator *conformal.Calibrator // nil where the detector is not calibrated
	alpha      float64
	thresholds []conformal.Threshold // for alpha, from the calibration
	batch      string                // name of a procedure over all images together, "" for none
	procedure  conformal.Procedure   // procedure for one image after another, "" for none
	online     *conformal.Online
	drift      *conformal.Drift

	images, found int
	alarm         string // ID of the image that raised the alarm
	last          conformal.Evidence
	seen          int // number of images that the detector was fitted to or calibrated on
}

// control makes a procedure that controls the false discovery rate decide the verdicts.
func (j *judge) control(name string) (err error) {
	if slices.Contains(batchProcedures, name) {
		j.batch = name
		return nil
	}
	j.procedure = conformal.Procedure(name)
	o := conformal.OnlineOptions{Procedure: j.procedure, Alpha: j.alpha}
	if j.procedure == conformal.ADDIS && j.calibrator.PerClass() == nil && j.calibrator.N() > 3 {
		o.Tau = conformal.GridPoint(0.5, j.calibrator.N())
	}
	j.online, err = conformal.NewOnline(o)
	return err
}

// one judges an image. Images must come in their order.
func (j *judge) one(r *scoredImage) error {
	j.images++
	r.judged = j.judged
	if j.calibrator != nil {
		r.p = j.calibrator.PValue(r.Score, r.Prediction)
	}
	switch {
	case j.calibrator == nil, j.fixed:
		r.ood = r.Score <= j.threshold
	case j.online != nil:
		d, err := j.online.Test(r.p)
		if err != nil {
			return fmt.Errorf("%s: %w", r.id, err)
		}
		r.ood = d.Reject
	default:
		r.ood = r.p <= j.alpha
	}
	if j.judged && r.ood {
		j.found++
	}
	if j.drift == nil {
		return nil
	}
	var err error
	if r.evidence, err = j.drift.Observe(r.Score); err != nil {
		return fmt.Errorf("%s: %w", r.id, err)
	}
	if r.evidence.Alarm && j.alarm == "" {
		j.alarm = r.id
	}
	j.last = r.evidence
	return nil
}

// all judges a whole set, for a procedure by which the verdict on an image depends on the other images.
func (j *judge) all(rows []scoredImage) error {
	if j.batch == "" {
		return nil
	}
	p := make([]float64, len(rows))
	for i, r := range rows {
		p[i] = r.p
	}
	var reject []bool
	var err error
	switch j.batch {
	case "bh":
		reject, err = conformal.BenjaminiHochberg(p, j.alpha)
	case "by":
		reject, err = conformal.BenjaminiYekutieli(p, j.alpha)
	case "storey":
		reject, err = conformal.Storey(p, j.alpha, conformal.GridPoint(0.5, j.calibrator.N()))
	}
	if err != nil {
		return err
	}
	j.found = 0
	for i := range rows {
		if rows[i].ood = reject[i]; reject[i] {
			j.found++
		}
	}
	return nil
}

// known counts the images that the detector was fitted to or calibrated on, for which p-values promise nothing.
func (j *judge) known(det *line.Detector, hashes []line.Hash) {
	if j.calibrator == nil {
		return
	}
	seen := map[line.Hash]bool{}
	for _, h := range append(det.FitPictures(), det.CalibrationPictures()...) {
		seen[h] = true
	}
	for _, h := range hashes {
		if seen[h] {
			j.seen++
		}
	}
}

// sheet returns which columns a file of scores has, and its metadata.
func (j *judge) sheet(names []string) sheet {
	s := sheet{names: names, calibrated: j.calibrator != nil, drift: j.drift != nil, judged: j.judged}
	scalar := func(name string, v float64) { s.extra = append(s.extra, npyz.Named{Name: name, Array: npyz.Scalar(v)}) }
	switch {
	case !j.judged:
	case j.calibrator == nil || j.fixed:
		scalar("threshold", j.threshold)
	case len(j.thresholds) == 1:
		scalar("threshold", j.thresholds[0].Score)
	case len(j.thresholds) > 1:
		perClass := make([]float64, len(j.thresholds))
		for k, t := range j.thresholds {
			perClass[k] = t.Score
		}
		s.extra = append(s.extra, npyz.Named{Name: "thresholds", Array: npyz.New(perClass)})
	}
	if j.calibrator != nil && !j.fixed {
		scalar("alpha", j.alpha)
	}
	return s
}

// summary returns the numbers of verdicts as text.
func (j *judge) summary() string {
	if !j.judged {
		return "; the detector holds no threshold, --threshold gives one"
	}
	text := fmt.Sprintf(", %d of them ood ", j.found)
	switch {
	case j.calibrator == nil || j.fixed:
		text += fmt.Sprintf("(score at or below %.6g)", j.threshold)
	case j.batch != "" || j.online != nil:
		text += fmt.Sprintf("(false discovery rate %v, %s%s)", j.alpha, j.batch, j.procedure)
	case len(j.thresholds) == 1:
		text += fmt.Sprintf("(p-value at most %v: score below %.6g)", j.alpha, j.thresholds[0].Score)
	default:
		text += fmt.Sprintf("(p-value at most %v, by predicted class)", j.alpha)
	}
	if j.drift != nil {
		text += fmt.Sprintf("; martingale %.4g", j.last.Value())
		if j.alarm != "" {
			text += ", alarm at " + j.alarm
		}
	}
	return text
}

// note returns what the promise of the verdicts does not cover, as text.
func (j *judge) note() string {
	if j.seen > 0 {
		return fmt.Sprintf("%d of the images are some that the detector was fitted to or calibrated on: nothing is "+
			"promised for these", j.seen)
	}
	a := conformal.Marginal
	if j.calibrator != nil {
		a = j.calibrator.Options().Adjustment
	}
	independent := a != conformal.Marginal && a != conformal.Pointwise
	if j.online != nil && !j.procedure.SharedCalibration() && !independent {
		return fmt.Sprintf("%s holds for independent p-values, and those of one calibration are not: --adjust simes "+
			"makes it hold", j.procedure)
	}
	return ""
}
