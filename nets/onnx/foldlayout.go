package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// layoutFoldings holds the operators that move elements of constants.
var layoutFoldings = map[string]folding{
	"Reshape": foldReshape, "Flatten": foldFlatten, "Squeeze": foldSqueeze, "Unsqueeze": foldUnsqueeze, "Transpose": foldTranspose,
	"Concat": foldConcat, "Slice": foldSlice, "Split": foldSplit, "Expand": foldExpand, "Tile": foldTile, "Pad": foldPad,
	"Gather": foldGather, "GatherElements": foldGatherElements, "GatherND": foldGatherND,
	"ScatterND": foldScatterND, "ScatterElements": foldScatterElements, "Dropout": foldDropout,
}

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

// reshapeTo resolves the target of a Reshape: 0 keeps an axis, -1 is what is left.
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

// axesOf returns the axes of a node: an attribute before the opset, input i from then on; nil where none are given.
func axesOf(n *node, c *constant, since int) ([]int, error) {
	if n.opset < since {
		return n.ints("axes"), nil
	}
	if c == nil {
		return nil, nil
	}
	if len(c.shape) > 1 || c.i64 == nil || c.len() > maxRank {
		return nil, fmt.Errorf("axes of shape %v and %v, expected a vector of integers", c.shape, c.elem)
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
			return nil, fmt.Errorf("axis %d of shape %v, expected one of size 1", i, shape)
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

// into copies n elements from src to another constant of the same type.
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

// cut is the part of an axis that a Slice takes: count elements from start on, step apart.
type cut struct{ axis, start, step, count int }

// cutsOf returns what a Slice takes of each axis it names: attributes before opset 10, inputs from then on.
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
				return nil, fmt.Errorf("input %d of shape %v and %v, expected a vector of integers", i, c.shape, c.elem)
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
		if starts[i] == math.MinInt64 {
			start = low
		}
		if ends[i] < -size { // also what counts as the beginning for a negative step
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

// splitsOf returns the sizes of the parts of a Split: an attribute before opset 13, an input from then on, equal parts without.
func splitsOf(n *node, size int, c *constant) ([]int, error) {
	var sizes []int
	if n.opset < 13 {
		sizes = n.ints("split")
	} else if c != nil {
		if c.i64 == nil || len(c.shape) > 1 || c.len() > maxNodes {
			return nil, fmt.Errorf("sizes of shape %v and %v, expected a vector of integers", c.shape, c.elem)
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

// tilesOf returns how often each axis is repeated, and the result's shape.
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
	// As [r0, s0, r1, s1, ...] the repeats have stride 0.
	var split, strides []int
	for i, s := range stridesOf(x.shape) {
		split, strides = append(split, reps[i], x.shape[i]), append(strides, 0, s)
	}
	return []*constant{x.copied(shape, func(f func(dst, src, n, step int)) { strided(split, strides, 0, f) })}, nil
}

// padding is what a Pad adds before and after each axis; negative numbers cut off.
type padding struct {
	before, after []int
	mode          string
	value         float64
}

// paddingOf returns what a Pad does: attributes before opset 11, inputs from then on, axes from opset 18.
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
				return p, fmt.Errorf("a value of shape %v, expected a scalar", v.shape)
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
		return p, fmt.Errorf("%d pads for %d axes", len(pads), len(axes))
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

// index returns where element i of a padded axis comes from, -1 for the value.
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

// indicesIn brings indices that may count from the end into [0, size).
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

// elementsAt returns, for each index of a tensor of the same rank, the offset of the element it names along the axis.
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

// scatter writes blocks of updates to the offsets of a copy of x, as the attribute reduction says.
func scatter(n *node, x, updates *constant, at []int, block int) ([]*constant, error) {
	if updates.len() != len(at)*block || updates.elem != x.elem {
		return nil, fmt.Errorf("updates of shape %v and %v, expected %d elements of %v", updates.shape, updates.elem, len(at)*block, x.elem)
	}
	reduce := n.str("reduction", "none")
	f, ok := map[string]func(a, b float64) float64{
		"none": func(_, b float64) float64 { return b }, "add": binaryAdd, "mul": func(a, b float64) float64 { return a * b },
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

// blocksAt returns the offsets and the size of the blocks that rows of indices name.
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
		return nil, unsupportedf("batch_dims %d, expected 0", n.int("batch_dims", 0))
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

// foldDropout is the identity with a mask of ones.
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
