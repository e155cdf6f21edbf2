// Package npyz reads and writes NumPy's npy and npz files.
//
// Arrays are flat row-major Go slices with a shape. Written files are plain NumPy: numpy.load reads them without
// pickle, and equal arrays give equal bytes. Of this module it imports what opens and writes files; every package that
// keeps arrays in files builds on it.
//
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
package npyz

import (
	"fmt"
	"math"
	"slices"
)

// Element lists the Go types that array elements are held in.
type Element interface {
	float32 | float64 | int64 | int32 | uint8 | bool | string
}

// Array is an N-dimensional array.
type Array struct {
	// Shape lists the axis lengths, outermost first. Empty means a scalar of one element.
	Shape []int
	// Data holds the elements in row-major order: a []float32, []float64, []int64, []int32, []uint8, []bool or
	// []string, as long as the product of Shape.
	Data any
}

// New returns an array over data, which is not copied. Without a shape it has one axis of length len(data);
// use [Scalar] for an array without axes. Validity is checked on writing.
func New[T Element](data []T, shape ...int) Array {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	return Array{Shape: slices.Clone(shape), Data: data}
}

// Scalar returns a 0-dimensional array.
func Scalar[T Element](v T) Array { return Array{Shape: []int{}, Data: []T{v}} }

// Len returns the number of elements held in Data, 0 for an unsupported type.
func (a Array) Len() int {
	switch d := a.Data.(type) {
	case []float32:
		return len(d)
	case []float64:
		return len(d)
	case []int64:
		return len(d)
	case []int32:
		return len(d)
	case []uint8:
		return len(d)
	case []bool:
		return len(d)
	case []string:
		return len(d)
	}
	return 0
}

// TypeName names the element type, for messages: "float32", "string" and so on.
func (a Array) TypeName() string {
	switch a.Data.(type) {
	case []float32:
		return "float32"
	case []float64:
		return "float64"
	case []int64:
		return "int64"
	case []int32:
		return "int32"
	case []uint8:
		return "uint8"
	case []bool:
		return "bool"
	case []string:
		return "string"
	}
	return fmt.Sprintf("%T", a.Data)
}

// validate checks that Data has a supported type and fits Shape.
func (a Array) validate() error {
	n, err := elements(a.Shape)
	if err != nil {
		return err
	}
	switch a.Data.(type) {
	case []float32, []float64, []int64, []int32, []uint8, []bool, []string:
	default:
		return fmt.Errorf("element type %T is not supported", a.Data)
	}
	if got := a.Len(); got != n {
		return fmt.Errorf("shape %v: expected %d elements, got %d", a.Shape, n, got)
	}
	return nil
}

// maxDims is numpy's own limit since version 2.
const maxDims = 64

// elements returns the product of shape. It refuses negative lengths and products that do not fit an int. Other axes
// are checked even if one has length zero, because strides are computed from them.
func elements(shape []int) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("expected at most %d axes, got %d", maxDims, len(shape))
	}
	n, zero := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative axis", shape)
		case d == 0:
			zero = true
		case n > math.MaxInt/d:
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		default:
			n *= d
		}
	}
	if zero {
		return 0, nil
	}
	return n, nil
}
