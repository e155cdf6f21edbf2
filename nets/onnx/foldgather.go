package onnx

import (
	"fmt"
	"slices"
)

// indicesIn returns indices in [0, size). Negative ones count from the end.
func indicesIn(c *constant, size int) ([]int, error) {
	if c.i64 == nil {
		return nil, fmt.Errorf("indices of %v", c.elem)
	}
	out := c.ints()
	for i, v := range out {
		if v < -size || v >= size {
			return nil, fmt.Errorf("index %d of an axis of %d", v, size)
		}
		if v < 0 {
			out[i] += size
		}
	}
	return out, nil
}

func foldGather(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	index, err := indicesIn(in[1], x.shape[axis])
	if err != nil {
		return nil, err
	}
	shape := slices.Concat(x.shape[:axis], in[1].shape, x.shape[axis+1:])
	size, err := sizeOf(shape)
	if err == nil {
		err = t.room(x.elem, size)
	}
	if err != nil {
		return nil, err
	}
	out := newConstant(x.elem, shape...)
	inner, at := product(x.shape[axis+1:]), 0
	for o := range product(x.shape[:axis]) {
		for _, i := range index {
			x.into(out, at, (o*x.shape[axis]+i)*inner, inner)
			at += inner
		}
	}
	return []*constant{out}, nil
}

func foldGatherElements(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x, index := in[0], in[1]
	axis, err := axisIn(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	at, err := elementsAt(x.shape, index, axis)
	if err != nil {
		return nil, err
	}
	out := newConstant(x.elem, index.shape...)
	for i, from := range at {
		x.into(out, i, from, 1)
	}
	return []*constant{out}, nil
}

// elementsAt returns, for each index in a tensor of the same rank, the offset of the element that it selects along the
// axis.
func elementsAt(shape []int, index *constant, axis int) ([]int, error) {
	if len(index.shape) != len(shape) {
		return nil, fmt.Errorf("indices of shape %v for shape %v", index.shape, shape)
	}
	for i, d := range index.shape {
		if i != axis && d > shape[i] {
			return nil, fmt.Errorf("indices of shape %v for shape %v", index.shape, shape)
		}
	}
	along, err := indicesIn(index, shape[axis])
	if err != nil {
		return nil, err
	}
	own := stridesOf(shape)
	at := offsets(index.shape, own)
	strides := stridesOf(index.shape)
	for i := range at {
		at[i] += (along[i] - i/strides[axis]%index.shape[axis]) * own[axis]
	}
	return at, nil
}

func foldScatterElements(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	x, index, updates := in[0], in[1], in[2]
	axis, err := axisIn(n.int("axis", 0), len(x.shape))
	if err != nil {
		return nil, err
	}
	at, err := elementsAt(x.shape, index, axis)
	if err != nil {
		return nil, err
	}
	return scatter(n, x, updates, at, 1)
}

// scatter returns a copy of x into which blocks of updates are written at the given offsets, combined as the attribute
// reduction says.
func scatter(n *node, x, updates *constant, at []int, block int) ([]*constant, error) {
	if updates.len() != len(at)*block || updates.elem != x.elem {
		return nil, fmt.Errorf("updates: expected %d elements of %v, got shape %v of %v", len(at)*block, x.elem,
			updates.shape, updates.elem)
	}
	reduce := n.str("reduction", "none")
	f, ok := map[string]func(a, b float64) float64{
		"none": func(_, b float64) float64 { return b }, "add": binaryAdd,
		"mul": func(a, b float64) float64 { return a * b },
		"min": func(a, b float64) float64 { return min(a, b) }, "max": func(a, b float64) float64 { return max(a, b) },
	}[reduce]
	if !ok {
		return nil, unsupportedf("reduction %q", reduce)
	}
	out := newConstant(x.elem, x.shape...)
	x.into(out, 0, 0, x.len())
	for i, o := range at {
		for j := range block {
			if reduce == "none" {
				updates.into(out, o+j, i*block+j, 1)
			} else {
				out.set(o+j, f(out.at(o+j), updates.at(i*block+j)))
			}
		}
	}
	return []*constant{out}, nil
}

func binaryAdd(a, b float64) float64 { return a + b }

// blocksAt returns the offsets and the size of the blocks that rows of indices select.
func blocksAt(shape []int, index *constant) (at []int, block int, err error) {
	if len(index.shape) == 0 || index.i64 == nil {
		return nil, 0, fmt.Errorf("indices of shape %v and %v", index.shape, index.elem)
	}
	depth := index.shape[len(index.shape)-1]
	if depth > len(shape) || depth < 1 {
		return nil, 0, fmt.Errorf("indices of shape %v for shape %v", index.shape, shape)
	}
	strides := stridesOf(shape)
	at = make([]int, index.len()/depth)
	for i := range at {
		for a := range depth {
			v := int(index.i64[i*depth+a])
			if v < -shape[a] || v >= shape[a] {
				return nil, 0, fmt.Errorf("index %d of an axis of %d", v, shape[a])
			}
			if v < 0 {
				v += shape[a]
			}
			at[i] += v * strides[a]
		}
	}
	return at, product(shape[depth:]), nil
}

func foldScatterND(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 3, 3); err != nil {
		return nil, err
	}
	at, block, err := blocksAt(in[0].shape, in[1])
	if err != nil {
		return nil, err
	}
	return scatter(n, in[0], in[2], at, block)
}

func foldGatherND(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	if n.int("batch_dims", 0) != 0 {
		return nil, unsupportedf("batch_dims: expected 0, got %d", n.int("batch_dims", 0))
	}
	x, index := in[0], in[1]
	at, block, err := blocksAt(x.shape, index)
	if err != nil {
		return nil, err
	}
	last := len(index.shape) - 1
	shape := slices.Concat(index.shape[:last], x.shape[index.shape[last]:])
	size, err := sizeOf(shape)
	if err == nil {
		err = t.room(x.elem, size)
	}
	if err != nil {
		return nil, err
	}
	out := newConstant(x.elem, shape...)
	for i, from := range at {
		x.into(out, i*block, from, block)
	}
	return []*constant{out}, nil
}
