package onnx

import (
	"fmt"
	"slices"
)

func foldReshape(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	target, err := shapeIn(in[1])
	if err != nil {
		return nil, err
	}
	shape, err := reshapeTo(in[0].shape, target, n.int("allowzero", 0) != 0)
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].reshaped(shape...)}, nil
}

// reshapeTo returns the shape that the target of a Reshape stands for: 0 keeps an axis, -1 takes what is left.
func reshapeTo(from, target []int, allowZero bool) ([]int, error) {
	out, rest, known := slices.Clone(target), -1, 1
	for i, d := range target {
		switch {
		case d == 0 && !allowZero:
			if i >= len(from) {
				return nil, fmt.Errorf("shape %v to %v: there is no axis %d to keep", from, target, i)
			}
			out[i] = from[i]
		case d == -1 && rest < 0:
			rest = i
			continue
		case d < 0:
			return nil, fmt.Errorf("shape %v to %v: a negative axis", from, target)
		}
		if out[i] > 0 && known > maxElements/out[i] {
			return nil, fmt.Errorf("shape %v to %v: too many elements", from, target)
		}
		known *= out[i]
	}
	size := product(from)
	if rest >= 0 {
		if known == 0 || size%known != 0 {
			return nil, fmt.Errorf("shape %v to %v: %d elements do not fit", from, target, size)
		}
		out[rest] = size / known
	} else if known != size {
		return nil, fmt.Errorf("shape %v to %v: %d elements do not fit", from, target, size)
	}
	return out, nil
}

func foldFlatten(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	shape, err := flattenTo(n, in[0].shape)
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].reshaped(shape...)}, nil
}

func flattenTo(n *node, shape []int) ([]int, error) {
	axis := n.int("axis", 1)
	if axis < 0 {
		axis += len(shape)
	}
	if axis < 0 || axis > len(shape) {
		return nil, fmt.Errorf("axis %d of shape %v", axis, shape)
	}
	return []int{product(shape[:axis]), product(shape[axis:])}, nil
}

// axesOf returns the axes of a node: an attribute before opset since, and then the input c; nil if there are none.
func axesOf(n *node, c *constant, since int) ([]int, error) {
	if n.opset < since {
		return n.ints("axes"), nil
	}
	if c == nil {
		return nil, nil
	}
	if len(c.shape) > 1 || c.i64 == nil || c.len() > maxRank {
		return nil, fmt.Errorf("axes: expected a vector of integers, got shape %v of %v", c.shape, c.elem)
	}
	return c.ints(), nil
}

func foldSqueeze(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	shape, err := squeezeTo(n, in[0].shape, arg(in, 1))
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].reshaped(shape...)}, nil
}

func squeezeTo(n *node, shape []int, c *constant) ([]int, error) {
	axes, err := axesOf(n, c, 13)
	if err == nil {
		axes, err = axesIn(axes, len(shape))
	}
	if err != nil {
		return nil, err
	}
	out := []int{}
	for i, d := range shape {
		drop := slices.Contains(axes, i)
		if drop && d != 1 {
			return nil, fmt.Errorf("expected an axis of size 1, got axis %d of shape %v", i, shape)
		}
		if !drop && (len(axes) > 0 || d != 1) {
			out = append(out, d)
		}
	}
	return out, nil
}

func foldUnsqueeze(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	shape, err := unsqueezeTo(n, in[0].shape, arg(in, 1))
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].reshaped(shape...)}, nil
}

func unsqueezeTo(n *node, shape []int, c *constant) ([]int, error) {
	axes, err := axesOf(n, c, 13)
	if err == nil {
		axes, err = axesIn(axes, len(shape)+len(axes))
	}
	if err != nil {
		return nil, err
	}
	out := slices.Clone(shape)
	for _, a := range axes {
		out = slices.Insert(out, a, 1)
	}
	return out, nil
}

func foldTranspose(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	perm, err := permOf(n, len(in[0].shape))
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].transposed(perm)}, nil
}

func (t *constant) transposed(perm []int) *constant {
	shape, strides := permuted(t.shape, perm), permuted(stridesOf(t.shape), perm)
	return t.copied(shape, func(f func(dst, src, n, step int)) { strided(shape, strides, 0, f) })
}

func permOf(n *node, rank int) ([]int, error) {
	perm := n.ints("perm")
	if perm == nil {
		perm = make([]int, rank)
		for i := range perm {
			perm[i] = rank - 1 - i
		}
	}
	if !isPermutation(perm, rank) {
		return nil, fmt.Errorf("permutation %v of %d axes", perm, rank)
	}
	return perm, nil
}

func foldExpand(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	target, err := shapeIn(in[1])
	if err != nil {
		return nil, err
	}
	for _, d := range target {
		if d < 0 {
			return nil, fmt.Errorf("to shape %v", target)
		}
	}
	shape, err := broadcast(in[0].shape, target)
	if err != nil {
		return nil, err
	}
	if err := t.room(in[0].elem, product(shape)); err != nil {
		return nil, err
	}
	return []*constant{in[0].expanded(shape)}, nil
}

func (t *constant) expanded(shape []int) *constant {
	if slices.Equal(t.shape, shape) {
		return t
	}
	strides := broadcastStrides(t.shape, shape)
	return t.copied(shape, func(f func(dst, src, n, step int)) { strided(shape, strides, 0, f) })
}

// tilesOf returns the number of repetitions of each axis, and the shape of the result.
func tilesOf(shape []int, c *constant) (reps, out []int, err error) {
	if c.i64 == nil || len(c.shape) != 1 || c.len() != len(shape) {
		return nil, nil, fmt.Errorf("repeats of shape %v for shape %v", c.shape, shape)
	}
	reps, out = c.ints(), slices.Clone(shape)
	for i, r := range reps {
		if r < 0 || r > maxElements {
			return nil, nil, fmt.Errorf("repeats %v", reps)
		}
		out[i] *= r
	}
	_, err = sizeOf(out)
	return reps, out, err
}

func foldTile(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	reps, shape, err := tilesOf(x.shape, in[1])
	if err != nil {
		return nil, err
	}
	if err := t.room(x.elem, product(shape)); err != nil {
		return nil, err
	}
	// In the form [r0, s0, r1, s1, ...] the repetitions have stride 0.
	var split, strides []int
	for i, s := range stridesOf(x.shape) {
		split, strides = append(split, reps[i], x.shape[i]), append(strides, 0, s)
	}
	return []*constant{x.copied(shape, func(f func(dst, src, n, step int)) { strided(split, strides, 0, f) })}, nil
}

// foldDropout returns the input, and a mask of ones.
func foldDropout(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	mask := newConstant(elemBool, in[0].shape...)
	for i := range mask.i64 {
		mask.i64[i] = 1
	}
	if c := arg(in, 2); c != nil && c.len() == 1 && c.at(0) != 0 {
		return nil, unsupportedf("it is in training mode")
	}
	return []*constant{in[0], mask}, nil
}
