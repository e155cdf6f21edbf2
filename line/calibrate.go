package line

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/line-ood/goline/line/conformal"
)

// Hash identifies a picture by its content; dataset.ContentHash computes it.
type Hash = [sha256.Size]byte

// sortedHashes returns the hashes in ascending order without repetitions.
func sortedHashes(hashes []Hash) []Hash {
	out := slices.Clone(hashes)
	slices.SortFunc(out, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// holds reports whether h is among the ascending hashes.
func holds(sorted []Hash, h Hash) bool {
	_, found := slices.BinarySearchFunc(sorted, h, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
	return found
}

// calibration holds the held-out pictures that a detector was calibrated on, and the calibration made from their
// scores.
type calibration struct {
	record   conformal.Record
	pictures []Hash // ascending; empty where they are not known
	once     sync.Once
	made     *conformal.Calibrator // made at the first use, since adjustments take time
	err      error
}

func (c *calibration) calibrator() (*conformal.Calibrator, error) {
	c.once.Do(func() { c.made, c.err = conformal.NewCalibrator(c.record) })
	return c.made, c.err
}

// copied returns a copy of the detector to which change has been applied. The copy compiles its own programs.
func (d *Detector) copied(change func(*Detector)) *Detector {
	out := &Detector{
		net: d.net, preprocessing: d.preprocessing, options: d.options, contributions: d.contributions, mean: d.mean,
		limits:     d.limits,
		activation: d.activation, weight: d.weight, other: d.other, fitScores: d.fitScores, fitPictures: d.fitPictures,
		calibration: d.calibration,
	}
	change(out)
	return out
}

// WithFitPictures returns a detector that also knows the hashes of the pictures that it was fitted to, so that it can
// refuse these pictures where held-out ones are needed. [Fit] sees network input instead of pictures and therefore
// cannot know the hashes.
func (d *Detector) WithFitPictures(pictures []Hash) *Detector {
	return d.copied(func(out *Detector) { out.fitPictures = sortedHashes(pictures) })
}

// FitPictures returns the hashes of the pictures that the detector was fitted to, each once, in ascending order; nil
// where they are not known.
func (d *Detector) FitPictures() []Hash { return slices.Clone(d.fitPictures) }

// CalibrationPictures returns the hashes of the pictures that the detector was calibrated on, each once, in ascending
// order; nil where they are not known.
func (d *Detector) CalibrationPictures() []Hash {
	if d.calibration == nil {
		return nil
	}
	return slices.Clone(d.calibration.pictures)
}

// CheckHeldOut returns a [FittedError] where the detector was fitted to some of the pictures.
func (d *Detector) CheckHeldOut(pictures []Hash) error {
	seen, first := 0, -1
	for i, h := range pictures {
		if holds(d.fitPictures, h) {
			if first < 0 {
				first = i
			}
			seen++
		}
	}
	if seen > 0 {
		return &FittedError{First: first, Count: seen, Of: len(pictures)}
	}
	return nil
}

// Calibrate returns a copy of the detector with a calibration by the scores of held-out in-distribution pictures,
// which [Detector.Score] computed. Neither the detector nor the network may have seen these pictures before. The
// calibration replaces an earlier one. pictures holds the pictures' hashes in the order of the scores, or is empty
// where they are not known. A picture that the detector was fitted to is an error that wraps [ErrFitted] and gives
// the picture's index. Where there are too few scores for the false-alarm rate o.Alpha, the error is a
// [conformal.TooFewError]. Other errors are those of [conformal.NewCalibrator].
func (d *Detector) Calibrate(scores *Scores, pictures []Hash, o conformal.Options) (*Detector, error) {
	if len(pictures) != 0 && len(pictures) != len(scores.Score) {
		return nil, fmt.Errorf("line: calibrate: expected a picture for each of %d scores, got %d", len(scores.Score),
			len(pictures))
	}
	if len(scores.Prediction) != len(scores.Score) {
		return nil, fmt.Errorf("line: calibrate: expected a prediction for each of %d scores, got %d",
			len(scores.Score), len(scores.Prediction))
	}
	if err := d.CheckHeldOut(pictures); err != nil {
		return nil, err
	}
	order := make([]int, len(scores.Score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores.Score[a] < scores.Score[b]:
			return -1
		case scores.Score[a] > scores.Score[b]:
			return 1
		}
		return scores.Prediction[a] - scores.Prediction[b]
	})
	r := conformal.Record{Classes: d.net.Classes(), Options: o.WithDefaults()}
	for _, i := range order {
		r.Scores = append(r.Scores, scores.Score[i])
		r.Predicted = append(r.Predicted, scores.Prediction[i])
	}
	c, err := conformal.NewCalibrator(r)
	if err != nil {
		return nil, fmt.Errorf("line: calibrate: %w", err)
	}
	if _, err := c.Thresholds(r.Options.Alpha); err != nil {
		return nil, fmt.Errorf("line: calibrate: %w", err)
	}
	return d.copied(func(out *Detector) {
		out.calibration = &calibration{record: r, pictures: sortedHashes(pictures)}
	}), nil
}

// CalibrationRecord returns the calibration's scores, ascending, and its options. [conformal.NewCalibrator] makes a
// calibrator with other options from the same scores. For a detector without a calibration the error is
// [ErrNotCalibrated].
func (d *Detector) CalibrationRecord() (conformal.Record, error) {
	if d.calibration == nil {
		return conformal.Record{}, fmt.Errorf("line: %w", ErrNotCalibrated)
	}
	r := d.calibration.record
	r.Scores, r.Predicted = slices.Clone(r.Scores), slices.Clone(r.Predicted)
	return r, nil
}

// Calibrator returns the detector's calibrator, which gives p-values and thresholds. For a detector without a
// calibration the error is [ErrNotCalibrated].
func (d *Detector) Calibrator() (*conformal.Calibrator, error) {
	if d.calibration == nil {
		return nil, fmt.Errorf("line: %w", ErrNotCalibrated)
	}
	return d.calibration.calibrator()
}

// PValues returns the p-value of each score by the detector's calibration, in the order of the scores. For any α, at
// most a share α of in-distribution pictures has a p-value of at most α. For a detector without a calibration the
// error is [ErrNotCalibrated].
func (d *Detector) PValues(s *Scores) ([]float64, error) {
	c, err := d.Calibrator()
	if err != nil {
		return nil, err
	}
	p := make([]float64, len(s.Score))
	for i, v := range s.Score {
		p[i] = c.PValue(v, s.Prediction[i])
	}
	return p, nil
}
