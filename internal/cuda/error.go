package cuda

import (
	"errors"
	"fmt"
)

// Kinds of failures that callers tell apart with errors.Is.
var (
	// ErrUnavailable says that there is no card to run on: no driver, no card, or a build without CUDA.
	ErrUnavailable = errors.New("CUDA is not available")
	// ErrOutOfMemory says that the card's memory, or the pinned memory of the host, is not sufficient.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrLost says that the context cannot be used any more, after a kernel that failed or a card that fell off the
	// bus. Only a new process gets another context. The CPU can still be used.
	ErrLost = errors.New("the device's context is lost: start the program anew to use it again")
)

// Error is a failed call of the driver.
type Error struct {
	Call string // name of the function, "cuMemAlloc" for example
	Code int    // its CUresult
	Name string // name of the code, "CUDA_ERROR_OUT_OF_MEMORY" for example
	Text string // the driver's description
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%s, %d)", e.Call, e.Text, e.Name, e.Code) }

// Unwrap returns ErrUnavailable, ErrOutOfMemory or ErrLost where the failure is of that kind, otherwise nil.
func (e *Error) Unwrap() error {
	switch e.Code {
	case 2:
		return ErrOutOfMemory
	case 46, 100, 101, 803, 804:
		// device unavailable, no device, invalid device, or a driver that does not suit the card or the program
		return ErrUnavailable
	case 201, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719: // from an invalid context to a launch that failed
		return ErrLost
	}
	return nil
}
