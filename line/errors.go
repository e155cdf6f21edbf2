package line

import "errors"

var (
	// ErrNoImages is wrapped by errors about streams without images.
	ErrNoImages = errors.New("no images")
	// ErrMismatch is wrapped by errors about a detector, or contributions, of another network than the one given.
	ErrMismatch = errors.New("detector of another network")
	// ErrNoThreshold is returned where a detector knows no scores of the images it was fitted to: [New] made it, or [Fit] with a
	// source of one's own, or its file was written before they were kept.
	ErrNoThreshold = errors.New("the detector has no threshold: the scores of the images it was fitted to are not known")
)
