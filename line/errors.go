package line

import (
	"errors"
	"fmt"

	"github.com/line-ood/goline/dataset"
)

var (
	// ErrNoImages is [dataset.ErrNoImages], wrapped by the errors for sets and streams without images.
	ErrNoImages = dataset.ErrNoImages
	// ErrMismatch is wrapped by the errors for a detector, or contributions, of another network than the given one.
	ErrMismatch = errors.New("detector of another network")
	// ErrNoThreshold is returned where a detector does not know the scores of the images that it was fitted to:
	// because [New] made it, or [Fit] with a source that does not show features, or because its file comes from a
	// release that did not keep these scores.
	ErrNoThreshold = errors.New("the detector has no threshold: the scores of the images it was fitted to are not " +
		"known")
	// ErrNotCalibrated is returned where a detector without a calibration is asked for a p-value: [Detector.Calibrate]
	// adds a calibration.
	ErrNotCalibrated = errors.New("the detector is not calibrated")
	// ErrFitted is wrapped by the errors for pictures that should be held out, but that the detector was fitted to.
	ErrFitted = errors.New("the detector was fitted to it")
)

// FittedError is the error for pictures that should be held out, some of which the detector was fitted to. It wraps
// [ErrFitted].
type FittedError struct {
	First int // index of the first such picture
	Count int // number of such pictures
	Of    int // number of pictures that were checked
}

// Error names the picture by its index.
func (e *FittedError) Error() string {
	return fmt.Sprintf("line: expected pictures that the detector was not fitted to, got picture %d, to which it "+
		"was, as to %d of %d in all", e.First, e.Count, e.Of)
}

// Unwrap returns [ErrFitted].
func (e *FittedError) Unwrap() error { return ErrFitted }
