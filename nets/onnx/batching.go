package onnx

import (
	"fmt"
	"slices"
)

// onAxis returns the batching of a value whose given axis is the batch, and nothing else.
func onAxis(axis int) batching { return batching{true, axis, 1, 1} }

// at returns the batching with its axis moved.
func (b batching) at(axis int) batching {
	b.axis = axis
	return b
}

// plain tells whether the value does not depend on the samples, or has them one after the other along axis 0.
func (b batching) plain() bool { return !b.is || b.axis == 0 && b.outer == 1 }

// shapeFor returns a value's shape for a batch of n samples.
func (v *value) shapeFor(n int) []int {
	out := slices.Clone(v.shape)
	if v.batch.is {
		out[v.batch.axis] = v.batch.outer * n * v.batch.per
	}
	return out
}

func mixes(axis int) error {
	return unsupportedf("it mixes the samples of a batch, which lie along axis %d", axis)
}

// apart fails if the samples lie along one of the given axes.
func (v *value) apart(axes ...int) error {
	if v.batch.is && slices.Contains(axes, v.batch.axis) {
		return mixes(v.batch.axis)
	}
	return nil
}

// first fails unless samples lie along the first axis.
func (v *value) first() error {
	if !v.batch.plain() {
		return unsupportedf("expected the samples of a batch along the first axis, got axis %d", v.batch.axis)
	}
	return nil
}

// reshapeBatching returns where the samples lie after a reshape. Elements keep their row-major order.
func (t *tracer) reshapeBatching(from []int, b batching, to []int) (batching, error) {
	if !b.is {
		return b, nil
	}
	before := product(from[:b.axis]) * b.outer // number of blocks, one per place before the samples
	seen := 1
	for j, d := range to {
		if d > 0 && seen*d >= before*t.n {
			outer := before / seen
			if before%seen != 0 || d%(outer*t.n) != 0 {
				break
			}
			return batching{true, j, outer, d / (outer * t.n)}, nil
		}
		seen *= d
	}
	return batching{}, unsupportedf("shape %v to %v mixes the samples of a batch", from, to)
}

// freeTarget returns the target of a reshape for the tracer's batch, in a file that fixes a batch of 1. The target must
// not contain -1.
func (t *tracer) freeTarget(x *value, target []int) ([]int, error) {
	b := x.batch
	before := product(x.shape[:b.axis]) * b.outer
	out := slices.Clone(target)
	seen := 1
	for j, d := range target {
		if seen == before && d == 1 {
			out[j] = t.n
			return out, nil
		}
		seen *= d
	}
	seen = 1
	for j, d := range target {
		last := j == len(target)-1
		switch {
		case seen*d == before && (last || j+1 == len(target)-1): // between two axes, of which the last keeps its size
			out[j] = d * t.n
			return out, nil
		case seen <= before && seen*d > before:
			if before%seen != 0 || d%(before/seen) != 0 {
				return nil, unsupportedf("shape %v to %v mixes the samples of a batch", x.shape, target)
			}
			out[j] = d * t.n
			return out, nil
		}
		seen *= d
	}
	return nil, unsupportedf("shape %v to %v leaves no place for more than one sample", x.shape, target)
}

// ownShape returns the shape that a value has in the file, which fixes a batch of 1.
func (t *tracer) ownShape(v *value) []int {
	if t.freed {
		return v.shapeFor(1)
	}
	return v.shape
}

// share returns a constant, which an operation combines with samples along the given axis of the constant, in a form
// for any batch size: of size 1 along that axis, or batched like the samples. The constant must be the same for each
// sample.
func (t *tracer) share(v *value, axis int, b batching) (*value, error) {
	if v.c == nil || v.batch.is || v.shape[axis] == 1 && b.outer*b.per == 1 {
		return v, nil
	}
	size, samples := v.shape[axis], t.n
	if t.freed && v.static && size == b.outer*b.per {
		samples = 1
	}
	if size == 1 {
		return v, nil
	}
	if size != b.outer*samples*b.per {
		return nil, fmt.Errorf("a constant of shape %v: expected %d elements along axis %d, got %d", v.shape,
			b.outer*t.n*b.per, axis, size)
	}
	// Read as [before, outer, samples, per, after], of which only the first sample is kept.
	before, after := product(v.shape[:axis])*b.outer, b.per*product(v.shape[axis+1:])
	whole := v.c.reshaped(before, samples, after)
	cutOut := whole.cut(cut{1, 0, 1, 1})
	for s := 1; s < samples; s++ {
		other := whole.cut(cut{1, s, 1, 1})
		if !slices.Equal(other.f32, cutOut.f32) || !slices.Equal(other.f64, cutOut.f64) ||
			!slices.Equal(other.i64, cutOut.i64) {
			return nil, unsupportedf("a constant of shape %v is not the same for each sample of a batch", v.shape)
		}
	}
	shape := slices.Clone(v.shape)
	shape[axis] = b.outer * b.per
	out := &value{name: v.name, elem: v.elem, shape: shape, c: cutOut.reshaped(shape...), static: v.static,
		init: v.init}
	if shape[axis] > 1 {
		out.shape = slices.Clone(v.shape)
		out.shape[axis] = b.outer * t.n * b.per
		out.batch = b.at(axis)
	}
	return out, nil
}

// spread repeats a constant along the batch axis, once for each sample, so that it can be concatenated with values
// computed from the samples.
func (t *tracer) spread(v *value, b batching) (*value, error) {
	if v.c == nil || v.batch.is {
		return v, nil
	}
	out, err := t.share(v, b.axis, b)
	if err != nil || out.batch.is {
		return out, err
	}
	if out.shape[b.axis] != 1 || v.shape[b.axis] == 1 && !(t.freed && v.static) && t.n != 1 {
		return nil, fmt.Errorf("a constant of shape %v for %d samples along axis %d", v.shape, t.n, b.axis)
	}
	wide := *out
	wide.shape = slices.Clone(out.shape)
	wide.shape[b.axis] = t.n
	wide.batch = b
	return &wide, nil
}

// constantFor returns the elements of a constant for a batch of n samples.
func (v *value) constantFor(n int) *constant {
	if !v.batch.is {
		return v.c
	}
	b, s := v.batch, v.c.shape
	before, after := product(s[:b.axis])*b.outer, b.per*product(s[b.axis+1:])
	wide := v.c.reshaped(before, 1, after).expanded([]int{before, n, after})
	return wide.reshaped(v.shapeFor(n)...)
}

// elementwise returns the shape and the batching of an elementwise result, and the inputs, with constants in the form
// that share returns.
func (t *tracer) elementwise(in ...*value) ([]*value, []int, batching, error) {
	rank := 0
	for _, v := range in {
		rank = max(rank, v.rank())
	}
	var b batching
	for _, v := range in {
		if !v.batch.is {
			continue
		}
		own := v.batch.at(v.batch.axis + rank - v.rank())
		if b.is && own != b {
			return nil, nil, b, unsupportedf("the samples of a batch lie at different places of its inputs")
		}
		b = own
	}
	out := slices.Clone(in)
	shapes := make([][]int, len(in))
	for i, v := range in {
		if axis := b.axis - (rank - v.rank()); b.is && axis >= 0 && v.c != nil {
			var err error
			if out[i], err = t.share(v, axis, b); err != nil {
				return nil, nil, b, err
			}
		}
		shapes[i] = out[i].shape
	}
	shape, err := broadcast(shapes...)
	return out, shape, b, err
}
