package line

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/conformal"
)

// Names of arrays of pictures and calibration. A file has either all arrays of a calibration or none.
const (
	fitPicturesArray         = "fit_pictures"         // uint8 [n, 32]
	calibrationPicturesArray = "calibration_pictures" // uint8 [n, 32]; left out where not known
	calibrationScores        = "calibration_scores"   // float64 [n], ascending
	calibrationPredictions   = "calibration_predictions"
	calibrationAlpha         = "calibration_alpha"
	calibrationDelta         = "calibration_delta"
	calibrationAdjustment    = "calibration_adjustment"
	calibrationPerClass      = "calibration_per_class"
)

// calibrationArrays returns the arrays of pictures and calibration.
func (d *Detector) calibrationArrays() []npyz.Named {
	arrays := hashArrays(fitPicturesArray, d.fitPictures)
	if d.calibration == nil {
		return arrays
	}
	r := d.calibration.record
	predicted := make([]int64, len(r.Predicted))
	for i, k := range r.Predicted {
		predicted[i] = int64(k)
	}
	arrays = append(arrays,
		npyz.Named{Name: calibrationScores, Array: npyz.New(r.Scores)},
		npyz.Named{Name: calibrationPredictions, Array: npyz.New(predicted)},
		npyz.Named{Name: calibrationAlpha, Array: npyz.Scalar(r.Options.Alpha)},
		npyz.Named{Name: calibrationDelta, Array: npyz.Scalar(r.Options.Delta)},
		npyz.Named{Name: calibrationAdjustment, Array: npyz.Scalar(r.Options.Adjustment.String())},
		npyz.Named{Name: calibrationPerClass, Array: npyz.Scalar(int64(r.Options.MinPerClass))},
	)
	return append(arrays, hashArrays(calibrationPicturesArray, d.calibration.pictures)...)
}

func hashArrays(name string, hashes []Hash) []npyz.Named {
	if len(hashes) == 0 {
		return nil
	}
	flat := make([]uint8, 0, len(hashes)*sha256.Size)
	for _, h := range hashes {
		flat = append(flat, h[:]...)
	}
	return []npyz.Named{{Name: name, Array: npyz.New(flat, len(hashes), sha256.Size)}}
}

// decodePictures reads the arrays that calibrationArrays returns.
func (d *Detector) decodePictures(a *npyz.Archive) (err error) {
	if d.fitPictures, err = decodeHashes(a, fitPicturesArray); err != nil {
		return err
	}
	d.calibration, err = decodeCalibration(a, d.net.Classes())
	return err
}

// decodeHashes returns hashes, nil where the file has none.
func decodeHashes(a *npyz.Archive, name string) ([]Hash, error) {
	if !a.Has(name) {
		return nil, nil
	}
	array, err := a.Get(name)
	if err != nil {
		return nil, err
	}
	flat, ok := array.Data.([]uint8)
	if !ok || len(array.Shape) != 2 || array.Shape[0] < 1 || array.Shape[1] != sha256.Size {
		return nil, fmt.Errorf("%s: expected shape [any, %d] of uint8, got %v of %s", name, sha256.Size, array.Shape,
			array.TypeName())
	}
	out := make([]Hash, 0, array.Shape[0])
	for h := range slices.Chunk(flat, sha256.Size) {
		out = append(out, Hash(h))
	}
	return sortedHashes(out), nil
}

// decodeCalibration returns the calibration, nil where the file has none.
func decodeCalibration(a *npyz.Archive, classes int) (*calibration, error) {
	if !a.Has(calibrationScores) {
		for _, name := range []string{calibrationPicturesArray, calibrationPredictions, calibrationAlpha,
			calibrationDelta, calibrationAdjustment, calibrationPerClass} {
			if a.Has(name) {
				return nil, fmt.Errorf("%s without %s", name, calibrationScores)
			}
		}
		return nil, nil
	}
	r := conformal.Record{Classes: classes}
	var err error
	if r.Scores, err = a.Float64(calibrationScores, -1); err != nil {
		return nil, err
	}
	if !slices.IsSorted(r.Scores) {
		return nil, fmt.Errorf("%s are not ascending", calibrationScores)
	}
	if r.Predicted, err = a.Ints(calibrationPredictions, len(r.Scores)); err != nil {
		return nil, err
	}
	for name, to := range map[string]*float64{calibrationAlpha: &r.Options.Alpha, calibrationDelta: &r.Options.Delta} {
		v, err := a.Float64(name)
		if err != nil {
			return nil, err
		}
		if !(v[0] > 0) { // a file says what it means: no defaults
			return nil, fmt.Errorf("%s: expected a number between 0 and 1, got %v", name, v[0])
		}
		*to = v[0]
	}
	perClass, err := a.Ints(calibrationPerClass)
	if err != nil {
		return nil, err
	}
	r.Options.MinPerClass = perClass[0]
	text, err := a.String(calibrationAdjustment)
	if err != nil {
		return nil, err
	}
	if r.Options.Adjustment, err = conformal.ParseAdjustment(text); err != nil {
		return nil, fmt.Errorf("%s: %w", calibrationAdjustment, err)
	}
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	c := &calibration{record: r}
	c.pictures, err = decodeHashes(a, calibrationPicturesArray)
	return c, err
}

// checkRecord returns an error for a record that no calibration has, without computing an adjustment.
func checkRecord(r conformal.Record) error {
	if err := r.Options.Check(); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	r.Options.Adjustment = conformal.Marginal
	if _, err := conformal.NewCalibrator(r); err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	return nil
}
