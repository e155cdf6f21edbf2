package line

import (
	"errors"
	"fmt"
)

var (
	// ErrNoImages is wrapped by errors about streams without images.
	ErrNoImages = errors.New("no images")
	// ErrMismatch is wrapped by errors about a detector, or contributions, of another network than the one given.
	ErrMismatch = errors.New("detector of another network")
	// ErrNoThreshold is returned where a detector knows no scores of the images that it was fitted to, because [New]
	// made it, or [Fit] with a source that shows no features, or its file dates from before such scores were kept.
	ErrNoThreshold = errors.New("the detector has no threshold: the scores of the images it was fitted to are not " +
		"known")
	// ErrNotCalibrated is returned where a detector without a calibration is asked for a p-value: [Detector.Calibrate]
	// adds a calibration.
	ErrNotCalibrated = errors.New("the detector is not calibrated")
	// ErrFitted is wrapped by errors about pictures that should be new to a detector, but it was fitted to them.
	ErrFitted = errors.New("the detector was fitted to it")
)

// FittedError tells that pictures which should be held out are some that the detector was fitted to. It wraps
// [ErrFitted].
type FittedError struct {
	First int // index of the first such picture
	Count int // how many there are
	Of    int // number of pictures among which they are
}

// Error names the picture by its index.
func (e *FittedError) Error() string {
	return fmt.Sprintf("line: expected pictures that the detector was not fitted to, but picture %d is one, as are "+
		"%d of %d in all", e.First, e.Count, e.Of)
}

// Unwrap returns [ErrFitted].
func (e *FittedError) Unwrap() error { return ErrFitted }
