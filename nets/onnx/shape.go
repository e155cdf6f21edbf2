package onnx

import (
	"fmt"
	"slices"
)

// broadcast returns the shape of an elementwise result by NumPy's rules.
func broadcast(shapes ...[]int) ([]int, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make([]int, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		for i, d := range s {
			at := rank - len(s) + i
			switch {
			case d == out[at] || d == 1:
			case out[at] == 1:
				out[at] = d
			default:
				return nil, fmt.Errorf("shapes %v do not fit one another", shapes)
			}
		}
	}
	if _, err := sizeOf(out); err != nil {
		return nil, err
	}
	return out, nil
}

// axisIn returns an axis in [0, rank). A negative axis counts from the end.
func axisIn(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d of %d axes", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// axesIn is axisIn for several axes, which must differ, and sorts them.
func axesIn(axes []int, rank int) ([]int, error) {
	out := make([]int, len(axes))
	for i, a := range axes {
		var err error
		if out[i], err = axisIn(a, rank); err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	if len(slices.Compact(slices.Clone(out))) != len(out) {
		return nil, fmt.Errorf("axes %v name an axis twice", axes)
	}
	return out, nil
}

// stridesOf returns the row-major strides of a shape.
func stridesOf(shape []int) []int {
	out := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		out[i] = n
		n *= shape[i]
	}
	return out
}

// broadcastStrides returns the strides with which a tensor of the given shape is read as one of shape to.
func broadcastStrides(shape, to []int) []int {
	own, out := stridesOf(shape), make([]int, len(to))
	for i, d := range shape {
		if d != 1 {
			out[len(to)-len(shape)+i] = own[i]
		}
	}
	return out
}

// strided calls f for each run along the last axis of a shape that is read with the given strides: n elements, step
// apart from offset src on, go to dst.
func strided(shape, strides []int, offset int, f func(dst, src, n, step int)) {
	if len(shape) == 0 {
		f(0, offset, 1, 1)
		return
	}
	if product(shape) == 0 {
		return
	}
	last := len(shape) - 1
	n, step := shape[last], strides[last]
	index := make([]int, last)
	dst, src := 0, offset
	for {
		f(dst, src, n, step)
		dst += n
		at := last - 1
		for ; at >= 0; at-- {
			index[at]++
			src += strides[at]
			if index[at] < shape[at] {
				break
			}
			src -= index[at] * strides[at]
			index[at] = 0
		}
		if at < 0 {
			return
		}
	}
}

// offsets returns, for each element of a shape, its offset by the given strides.
func offsets(shape, strides []int) []int {
	out := make([]int, product(shape))
	strided(shape, strides, 0, func(dst, src, n, step int) {
		for i := range n {
			out[dst+i] = src + i*step
		}
	})
	return out
}

// walk calls f for each element of a shape in order, with its offsets by several sets of strides.
func walk(shape []int, strides [][]int, f func(i int, at []int)) {
	size := product(shape)
	index, at := make([]int, len(shape)), make([]int, len(strides))
	for i := range size {
		f(i, at)
		for a := len(shape) - 1; a >= 0; a-- {
			index[a]++
			for j, s := range strides {
				at[j] += s[a]
			}
			if index[a] < shape[a] {
				break
			}
			for j, s := range strides {
				at[j] -= index[a] * s[a]
			}
			index[a] = 0
		}
	}
}

// permuted returns shape[perm[0]], shape[perm[1]], ...
func permuted(shape, perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = shape[p]
	}
	return out
}

// inverse returns the permutation that undoes perm.
func inverse(perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[p] = i
	}
	return out
}

// isPermutation tells whether perm holds each of 0 ... rank-1 once.
func isPermutation(perm []int, rank int) bool {
	sorted := slices.Clone(perm)
	slices.Sort(sorted)
	if len(sorted) != rank {
		return false
	}
	for i, p := range sorted {
		if i != p {
			return false
		}
	}
	return true
}
