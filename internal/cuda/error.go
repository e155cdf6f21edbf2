package cuda

import (
	"errors"
	"fmt"
)

// Results of the driver that callers tell apart, with errors.Is.
var (
	// ErrUnavailable is why there is no card to run on: no driver, no card, or a build without CUDA.
	ErrUnavailable = errors.New("CUDA is not available")
	// ErrOutOfMemory is that the card's memory, or the pinned memory of the host, does not suffice.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrLost is that the context is beyond use, after a kernel that failed or a card that fell off the bus: only a new
	// process gets another one. The CPU is as usable as before.
	ErrLost = errors.New("the device's context is lost: start the program anew to use it again")
)

// Error is a call of the driver that failed.
type Error struct {
	Call string // the function, "cuMemAlloc" for example
	Code int    // its CUresult
	Name string // that in words, "CUDA_ERROR_OUT_OF_MEMORY" for example
	Text string // the driver's description
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%s, %d)", e.Call, e.Text, e.Name, e.Code) }

// Unwrap returns what kind of failure it is, nil where none of those that have a name.
func (e *Error) Unwrap() error {
	switch e.Code {
	case 2:
		return ErrOutOfMemory
	case 46, 100, 101, 803, 804:
		// device unavailable, no device, invalid device, driver does not fit the card or the program
		return ErrUnavailable
	case 201, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719: // from an invalid context to a launch that failed
		return ErrLost
	}
	return nil
}
