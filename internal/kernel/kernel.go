// Package kernel holds the CPU kernels behind the graph operations: convolution, pooling, linear layers, normalisation
// and elementwise functions, forward and backward.
//
// Tensors are dense, row-major and laid out [channels, height, width] for one image unless a function says otherwise.
// The generic code is the reference; float32 kernels in assembly stand beside it and are chosen at run time.
//
// Every output element is summed in one fixed order that depends on the operation's geometry alone, never on the batch
// size, the position of a tile or the number of goroutines, so equal inputs give equal bits.
//
// Slices shorter than the geometry asks for are programming mistakes and panic. Outputs must not overlap inputs, except
// where a function allows it. No kernel allocates; those that need memory take a scratch slice, whose contents are
// meaningless before and after the call and which must not be shared between concurrent calls.
package kernel

import "unsafe"

//go:generate go run ./gen -dir .

// Float is the set of element types.
type Float interface{ float32 | float64 }

// is32 reports whether T is float32.
func is32[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4
}

// as32 returns s as what it is, a slice of float32; T must be float32.
func as32[T Float](s []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}
