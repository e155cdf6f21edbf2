package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ShapeMismatch is a tensor whose shape in the file differs from that in the network.
type ShapeMismatch struct {
	Name       string // the tensor's
	File, Want []int  // the tensor's shape in the file, and the parameter's in the network
}

// String returns the name and both shapes.
func (m ShapeMismatch) String() string {
	return fmt.Sprintf("%s: expected %v, got %v", m.Name, m.Want, m.File)
}

// ErrMismatch is the error that errors.Is finds in every [*MismatchError], for callers that need no details.
var ErrMismatch = errors.New("weights do not fit the network")

// MismatchError lists everything that keeps a state dict from fitting a network, sorted by name.
type MismatchError struct {
	// Missing lists tensors that the network has and the state dict lacks.
	Missing []string
	// Unexpected lists tensors that the state dict has and the network lacks.
	Unexpected []string
	// Misshapen lists tensors whose shapes differ.
	Misshapen []ShapeMismatch
	// NonFinite lists tensors with NaN or infinite elements.
	NonFinite []string
	// Inexact lists integer tensors with elements that float32 does not hold exactly.
	Inexact []string
}

func (e *MismatchError) empty() bool {
	return len(e.Missing)+len(e.Unexpected)+len(e.Misshapen)+len(e.NonFinite)+len(e.Inexact) == 0
}

func (e *MismatchError) sort() {
	for _, names := range [][]string{e.Missing, e.Unexpected, e.NonFinite, e.Inexact} {
		slices.Sort(names)
	}
	slices.SortFunc(e.Misshapen, func(a, b ShapeMismatch) int { return strings.Compare(a.Name, b.Name) })
}

// Error counts each kind of disagreement and names the first few.
func (e *MismatchError) Error() string {
	shapes := make([]string, len(e.Misshapen))
	for i, m := range e.Misshapen {
		shapes[i] = m.String()
	}
	var parts []string
	for _, kind := range []struct {
		what  string
		names []string
	}{
		{"missing", e.Missing},
		{"unexpected", e.Unexpected},
		{"of another shape", shapes},
		{"with NaN or infinite elements", e.NonFinite},
		{"with integers beyond float32", e.Inexact},
	} {
		if n := len(kind.names); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", n, kind.what, shorten(kind.names)))
		}
	}
	return ErrMismatch.Error() + ": tensors " + strings.Join(parts, "; ")
}

// Is reports whether target is [ErrMismatch].
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// shorten joins the first few names of a list.
func shorten(names []string) string {
	const shown = 8
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
