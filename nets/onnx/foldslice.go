package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

func foldConcat(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, len(in), -1); err != nil || len(in) == 0 {
		return nil, errors.Join(err, wantInputs(in, 1, -1))
	}
	shapes := make([][]int, len(in))
	for i, c := range in {
		if c.elem != in[0].elem {
			return nil, fmt.Errorf("inputs of %v and %v", in[0].elem, c.elem)
		}
		shapes[i] = c.shape
	}
	axis, shape, err := concatTo(n, shapes)
	if err != nil {
		return nil, err
	}
	if err := t.room(in[0].elem, product(shape)); err != nil {
		return nil, err
	}
	out := newConstant(in[0].elem, shape...)
	outer, inner := product(shape[:axis]), product(shape[axis+1:])
	at := 0
	for o := range outer {
		for _, c := range in {
			n := c.shape[axis] * inner
			c.into(out, at, o*n, n)
			at += n
		}
	}
	return []*constant{out}, nil
}

// into copies n elements from src on to another constant of the same type.
func (t *constant) into(out *constant, dst, src, n int) {
	switch {
	case t.f32 != nil:
		copy(out.f32[dst:dst+n], t.f32[src:])
	case t.f64 != nil:
		copy(out.f64[dst:dst+n], t.f64[src:])
	default:
		copy(out.i64[dst:dst+n], t.i64[src:])
	}
}

func concatTo(n *node, shapes [][]int) (axis int, shape []int, err error) {
	if axis, err = axisIn(n.int("axis", 1), len(shapes[0])); err != nil {
		return 0, nil, err
	}
	shape = slices.Clone(shapes[0])
	for _, s := range shapes[1:] {
		if len(s) != len(shape) || !slices.Equal(s[:axis], shape[:axis]) || !slices.Equal(s[axis+1:], shape[axis+1:]) {
			return 0, nil, fmt.Errorf("shapes %v do not fit one another along axis %d", shapes, axis)
		}
		shape[axis] += s[axis]
	}
	_, err = sizeOf(shape)
	return axis, shape, err
}

// cut is the part of an axis that a Slice takes: count elements, step apart, from start on.
type cut struct{ axis, start, step, count int }

// cutsOf returns the parts of axes that a Slice takes: attributes before opset 10, inputs from then on.
func cutsOf(n *node, shape []int, in []*constant) ([]cut, error) {
	var starts, ends, axes, steps []int
	if n.opset < 10 {
		starts, ends, axes = n.ints("starts"), n.ints("ends"), n.ints("axes")
	} else {
		for i, to := range []*[]int{nil, &starts, &ends, &axes, &steps} {
			c := arg(in, i)
			if to == nil || c == nil {
				continue
			}
			if c.i64 == nil || len(c.shape) > 1 || c.len() > maxRank {
				return nil, fmt.Errorf("input %d: expected a vector of integers, got shape %v of %v", i, c.shape,
					c.elem)
			}
			*to = c.ints()
		}
	}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, fmt.Errorf("%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	if _, err := axesIn(axes, len(shape)); err != nil {
		return nil, err
	}
	var out []cut
	for i, a := range axes {
		a, _ = axisIn(a, len(shape))
		size, step := shape[a], steps[i]
		if step == 0 {
			return nil, fmt.Errorf("a step of 0")
		}
		low, high := 0, size
		if step < 0 {
			low, high = -1, size-1
		}
		bound := func(v int) int {
			if v < 0 {
				v += size
			}
			return min(max(v, low), high)
		}
		start, end := bound(starts[i]), bound(ends[i])
		if starts[i] == math.MinInt {
			start = low
		}
		if ends[i] < -size { // with a negative step this stands for the start
			end = low
		}
		count := 0
		if step > 0 && end > start {
			count = (end-start-1)/step + 1
		} else if step < 0 && start > end {
			count = (start-end-1)/(-max(step, -maxElements)) + 1
		}
		out = append(out, cut{a, start, step, count})
	}
	return out, nil
}

func foldSlice(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 5); err != nil {
		return nil, err
	}
	cuts, err := cutsOf(n, in[0].shape, in)
	if err != nil {
		return nil, err
	}
	return []*constant{in[0].cut(cuts...)}, nil
}

func (t *constant) cut(cuts ...cut) *constant {
	shape, strides, offset := slices.Clone(t.shape), stridesOf(t.shape), 0
	for _, c := range cuts {
		shape[c.axis] = c.count
		offset += c.start * strides[c.axis]
		strides[c.axis] *= c.step
	}
	return t.copied(shape, func(f func(dst, src, n, step int)) { strided(shape, strides, offset, f) })
}

// splitsOf returns the sizes of the parts of a Split: an attribute before opset 13, an input from then on. If neither
// is given the parts are equal.
func splitsOf(n *node, size int, c *constant) ([]int, error) {
	var sizes []int
	if n.opset < 13 {
		sizes = n.ints("split")
	} else if c != nil {
		if c.i64 == nil || len(c.shape) > 1 || c.len() > maxNodes {
			return nil, fmt.Errorf("sizes: expected a vector of integers, got shape %v of %v", c.shape, c.elem)
		}
		sizes = c.ints()
	}
	if sizes == nil {
		parts := n.int("num_outputs", len(n.out))
		if parts < 1 || parts > maxNodes {
			return nil, fmt.Errorf("%d parts", parts)
		}
		each := (size + parts - 1) / parts
		for left := size; len(sizes) < parts; left -= each {
			sizes = append(sizes, max(min(each, left), 0))
		}
	}
	sum := 0
	for _, s := range sizes {
		if s < 0 || s > size {
			return nil, fmt.Errorf("parts of %v of an axis of %d", sizes, size)
		}
		sum += s
	}
	if sum != size || len(sizes) < len(n.out) {
		return nil, fmt.Errorf("parts of %v of an axis of %d, for %d outputs", sizes, size, len(n.out))
	}
	return sizes, nil
}

func foldSplit(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	axis, err := axisIn(n.int("axis", 0), len(in[0].shape))
	if err != nil {
		return nil, err
	}
	sizes, err := splitsOf(n, in[0].shape[axis], arg(in, 1))
	if err != nil {
		return nil, err
	}
	var out []*constant
	at := 0
	for _, s := range sizes {
		out = append(out, in[0].cut(cut{axis, at, 1, s}))
		at += s
	}
	return out, nil
}

// padding is the number of elements that a Pad adds before and behind each axis. Negative numbers cut elements off.
type padding struct {
	before, after []int
	mode          string
	value         float64
}

// paddingOf returns the padding of a Pad: attributes before opset 11, inputs from then on, and axes from opset 18 on.
func paddingOf(n *node, shape []int, in []*constant) (padding, error) {
	p := padding{mode: n.str("mode", "constant"), value: n.float("value", 0)}
	pads, rank := n.ints("pads"), len(shape)
	var axes []int
	if n.opset >= 11 {
		c := arg(in, 1)
		if c == nil || c.i64 == nil || len(c.shape) > 1 || c.len() > 2*maxRank {
			return p, errors.New("pads are left out or no vector of integers")
		}
		pads = c.ints()
		if v := arg(in, 2); v != nil {
			if v.len() != 1 {
				return p, fmt.Errorf("value: expected a scalar, got shape %v", v.shape)
			}
			p.value = v.at(0)
		}
		if a := arg(in, 3); a != nil {
			if a.i64 == nil || a.len() > maxRank {
				return p, errors.New("axes are no vector of integers")
			}
			axes = a.ints()
		}
	}
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if _, err := axesIn(axes, rank); err != nil {
		return p, err
	}
	if len(pads) != 2*len(axes) {
		return p, fmt.Errorf("pads: expected %d for %d axes, got %d", 2*len(axes), len(axes), len(pads))
	}
	p.before, p.after = make([]int, rank), make([]int, rank)
	for i, a := range axes {
		a, _ = axisIn(a, rank)
		p.before[a], p.after[a] = pads[i], pads[i+len(axes)]
	}
	_, err := p.shape(shape)
	return p, err
}

func (p padding) shape(shape []int) ([]int, error) {
	out := slices.Clone(shape)
	for i := range out {
		if p.before[i] > maxElements || p.after[i] > maxElements || p.before[i] < -out[i] || p.after[i] < -out[i] {
			return nil, fmt.Errorf("pads %v and %v of shape %v", p.before, p.after, shape)
		}
		out[i] += p.before[i] + p.after[i]
	}
	_, err := sizeOf(out)
	return out, err
}

// index returns the index of the element that is copied to position i of a padded axis, -1 for the padding value.
func (p padding) index(i, axis, size int) int {
	i -= p.before[axis]
	if i >= 0 && i < size {
		return i
	}
	switch p.mode {
	case "edge":
		return min(max(i, 0), size-1)
	case "reflect":
		if size == 1 {
			return 0
		}
		period := 2 * (size - 1)
		i = ((i % period) + period) % period
		return min(i, period-i)
	case "wrap":
		return ((i % size) + size) % size
	}
	return -1
}

func foldPad(t *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 4); err != nil {
		return nil, err
	}
	x := in[0]
	p, err := paddingOf(n, x.shape, in)
	if err != nil {
		return nil, err
	}
	shape, err := p.shape(x.shape)
	if err != nil {
		return nil, err
	}
	if err := t.room(x.elem, product(shape)); err != nil {
		return nil, err
	}
	out := newConstant(x.elem, shape...)
	strides, own := stridesOf(shape), stridesOf(x.shape)
	for i := range out.len() {
		from := 0
		for a, s := range strides {
			at := p.index(i/s%shape[a], a, x.shape[a])
			if at < 0 {
				from = -1
				break
			}
			from += at * own[a]
		}
		if from < 0 {
			out.set(i, p.value)
		} else {
			x.into(out, i, from, 1)
		}
	}
	return []*constant{out}, nil
}
