package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// axesOf returns a number of axes in words, for errors.
func axesOf(n int) string {
	if n == 1 {
		return "1 axis"
	}
	return fmt.Sprintf("%d axes", n)
}

// wantAxis returns the index of an axis of a node of the given rank. A negative axis counts from the end: -1 is the
// last.
func wantAxis(name string, axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("%s: expected one of %s, got axis %d", name, axesOf(rank), axis)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// wantAxes returns, for each axis of a node of the given rank, whether axes names it. Empty axes name all of them.
func wantAxes(name string, axes []int, rank int) ([]bool, error) {
	named := make([]bool, rank)
	if len(axes) == 0 {
		return all(rank), nil
	}
	for _, axis := range axes {
		a, err := wantAxis(name, axis, rank)
		if err != nil {
			return nil, err
		}
		if named[a] {
			return nil, fmt.Errorf("%s: axes %v name axis %d twice", name, axes, a)
		}
		named[a] = true
	}
	return named, nil
}

// wantNode fails where a node is nil.
func wantNode(name string, x *G.Node) error {
	if x == nil {
		return fmt.Errorf("%s: expected an input, got nil", name)
	}
	return nil
}

// rowMajor returns the strides of a contiguous array: for each axis, how many elements apart neighbours along it are.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for i, s := range slices.Backward(shape) {
		strides[i] = n
		n *= s
	}
	return strides
}

// total returns the number of elements of a shape that has passed elements, which checks it.
func total(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// broadcastShape returns the common shape to which the given ones broadcast by NumPy's rule: shapes are aligned at the
// last axis, and axes of one element, or missing ones, take the length of the others.
func broadcastShape(name string, shapes ...tensor.Shape) (tensor.Shape, error) {
	var out tensor.Shape
	for _, s := range shapes {
		if len(s) > len(out) {
			out = append(tensor.Shape(ones(len(s)-len(out))), out...)
		}
		for i := range s {
			at := i + len(out) - len(s)
			switch {
			case out[at] == 1:
				out[at] = s[i]
			case s[i] != 1 && s[i] != out[at]:
				return nil, fmt.Errorf("%s: shape %v does not broadcast with %v", name, s, shapes[0])
			}
		}
	}
	if _, err := elements(out); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

func ones(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

// alignedStrides returns the strides with which an input of the given shape is read along the axes of the shape to, to
// which it broadcasts. The stride of an axis along which the input repeats is 0.
func alignedStrides(shape, to []int) []int {
	strides := make([]int, len(to))
	own := rowMajor(shape)
	for i, s := range shape {
		if s != 1 {
			strides[i+len(to)-len(shape)] = own[i]
		}
	}
	return strides
}
