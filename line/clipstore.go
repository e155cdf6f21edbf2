package line

import (
	"fmt"

	"github.com/line-ood/goline/internal/npyz"
)

// Arrays in the file of a detector that clips at a percentile. Its array "clip" is 0, so that readers that do not
// know these arrays refuse the file.
const (
	clipPercentileArray = "clip_percentile"
	clipPerClassArray   = "clip_per_class"
	clipLimitsArray     = "clip_limits" // [features] or [classes, features]
)

// clipArrays returns the arrays of a detector that clips at a percentile, nil for another detector.
func (d *Detector) clipArrays() (arrays []npyz.Named) {
	o := d.options
	if o.ClipPercentile != 0 {
		arrays = append(arrays, npyz.Named{Name: clipPercentileArray, Array: npyz.Scalar(o.ClipPercentile)})
	}
	if o.ClipPerClass {
		arrays = append(arrays, npyz.Named{Name: clipPerClassArray, Array: npyz.Scalar(true)})
	}
	if d.limits != nil {
		shape := o.limitShape(d.net.Classes(), d.net.FeatureDim())
		arrays = append(arrays, npyz.Named{Name: clipLimitsArray, Array: npyz.New(d.limits, shape...)})
	}
	return arrays
}

// decodeClipPercentile sets the options of a detector that clips at a percentile.
func decodeClipPercentile(a *npyz.Archive, o *Options) error {
	if a.Has(clipPercentileArray) {
		v, err := a.Float64(clipPercentileArray)
		if err != nil {
			return err
		}
		o.ClipPercentile = v[0]
	}
	if !a.Has(clipPerClassArray) {
		return nil
	}
	array, err := a.Get(clipPerClassArray)
	if err != nil {
		return err
	}
	on, ok := array.Data.([]bool)
	if !ok || len(on) != 1 {
		return fmt.Errorf("%s: expected one bool, got shape %v of %s", clipPerClassArray, array.Shape, array.TypeName())
	}
	o.ClipPerClass = on[0]
	return nil
}
