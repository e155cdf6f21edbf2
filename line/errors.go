package line

import "errors"

var (
	// ErrNoImages is wrapped by errors about streams without images.
	ErrNoImages = errors.New("no images")
	// ErrMismatch is wrapped by errors about a detector, or contributions, of another network than the one given.
	ErrMismatch = errors.New("detector of another network")
)
