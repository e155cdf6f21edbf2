package conformal

import (
	"fmt"
	"slices"
)

// Options say what a [Calibrator] guarantees.
type Options struct {
	// Alpha is the wanted false-alarm rate, in (0, 1); 0 means 0.05.
	Alpha float64
	// Adjustment and Delta say in what sense p-values and thresholds hold; see [Adjustment]. Delta lies in (0, 1); 0
	// means 0.1. With [Marginal], Delta is the δ for which reports state [Threshold.Bound].
	Adjustment Adjustment
	Delta      float64
	// MinPerClass is the smallest number of calibration samples with which a predicted class gets its own
	// calibration; see least of [NewPerClass]. 0 makes one calibration for all classes.
	MinPerClass int
}

// WithDefaults fills in zeros.
func (o Options) WithDefaults() Options {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Delta == 0 {
		o.Delta = 0.1
	}
	return o
}

// Check reports the first parameter that is out of range.
func (o Options) Check() error {
	o = o.WithDefaults()
	if err := checkAlpha(o.Alpha); err != nil {
		return err
	}
	if err := checkDelta(o.Delta); err != nil {
		return err
	}
	if o.MinPerClass < 0 {
		return fmt.Errorf("conformal: expected a number of calibration samples a class, got %d", o.MinPerClass)
	}
	return o.Adjustment.check(o.Delta)
}

// Record holds all that a [Calibrator] is made from, as plain data that can be stored in a file.
type Record struct {
	// Scores holds the scores [n] of the held-out samples, and Predicted the classes that the network predicted for
	// them [n], each in 0 to Classes-1.
	Scores    []float64
	Predicted []int
	Classes   int
	Options   Options // how p-values and threshold are made of them
}

// Calibrator gives p-values and thresholds for samples by their score and predicted class. It is immutable and safe
// for concurrent use.
type Calibrator struct {
	options Options
	all     *Calibration
	classes *PerClass // nil for one calibration of all
}

// NewCalibrator makes a calibrator with one calibration for each class or one for all samples, as r.Options say.
// Errors are those of [NewPerClass], [Options.Check] and [Calibration.Conditional].
func NewCalibrator(r Record) (*Calibrator, error) {
	if err := r.Options.Check(); err != nil {
		return nil, err
	}
	c := &Calibrator{options: r.Options.WithDefaults()}
	all, err := NewPerClass(r.Scores, r.Predicted, r.Classes, max(1, c.options.MinPerClass))
	if err != nil {
		return nil, err
	}
	if c.options.MinPerClass > 0 {
		if c.classes, err = all.Conditional(c.options.Adjustment, c.options.Delta); err != nil {
			return nil, err
		}
	}
	if c.all, err = New(r.Scores); err != nil {
		return nil, err
	}
	if c.classes == nil {
		if c.all, err = c.all.Conditional(c.options.Adjustment, c.options.Delta); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Options returns the options with defaults filled in.
func (c *Calibrator) Options() Options { return c.options }

// N is the number of calibration samples.
func (c *Calibrator) N() int { return c.all.N() }

// All returns the calibration of all samples. With Options.MinPerClass it is not adjusted.
func (c *Calibrator) All() *Calibration { return c.all }

// PerClass returns the calibrations of the predicted classes, nil where there is one calibration for all classes.
func (c *Calibrator) PerClass() *PerClass { return c.classes }

// PValue returns the p-value of a sample by its score and predicted class.
func (c *Calibrator) PValue(score float64, predicted int) float64 {
	if c.classes == nil {
		return c.all.PValue(score)
	}
	group, _ := c.classes.For(predicted)
	return group.PValue(score)
}

// Thresholds returns, for a false-alarm rate of alpha, the threshold of each predicted class [classes], or one
// threshold for all classes [1]. Where there are too few calibration samples the error is a [TooFewError], which
// names the class.
func (c *Calibrator) Thresholds(alpha float64) ([]Threshold, error) {
	if c.classes == nil {
		t, err := c.all.Threshold(alpha)
		if err != nil {
			return nil, err
		}
		return []Threshold{t}, nil
	}
	out := make([]Threshold, c.classes.Classes())
	for k := range out {
		var err error
		if out[k], err = c.classes.Threshold(k, alpha); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Distinct returns the number of different calibration scores. It is far smaller than N where the detector's scores
// saturate; the p-values of tied scores are then larger than necessary.
func (c *Calibration) Distinct() int { return len(slices.Compact(slices.Clone(c.scores))) }
