package onnx

import (
	"fmt"
	"slices"
)

type axisAttrs struct{ axis int }

func lowerConcat(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, len(in), -1); err != nil || len(in) == 0 {
		return nil, fmt.Errorf("%d inputs, of which some are left out", len(in))
	}
	var b batching
	for _, v := range in {
		if v.batch.is && v.c == nil {
			b = v.batch
		}
	}
	var parts []*value
	var shapes [][]int
	for _, v := range in {
		if v.rank() != in[0].rank() {
			return nil, fmt.Errorf("inputs of shapes %v and %v", in[0].shape, v.shape)
		}
		if b.is {
			var err error
			if v, err = t.spread(v, b); err != nil {
				return nil, err
			}
			if v.batch != b {
				return nil, unsupportedf("the samples of a batch lie at different places of its inputs")
			}
		}
		shapes = append(shapes, v.shape)
		if product(v.shape) > 0 {
			parts = append(parts, v)
		}
	}
	axis, shape, err := concatTo(n, shapes)
	if err != nil {
		return nil, err
	}
	if b.is && b.axis == axis {
		return nil, mixes(axis)
	}
	if len(parts) == 1 {
		return one(t.alias(n, parts[0], in[0].elem))
	}
	return one(t.add(n, "Concat", in[0].elem, shape, b, &axisAttrs{axis}, parts...))
}

// slice adds one cut after the other. Cuts that take a whole axis are left out.
func (t *tracer) slice(n *node, x *value, cuts []cut) (*value, error) {
	var err error
	whole := true
	for _, c := range cuts {
		if c.start == 0 && c.step == 1 && c.count == x.shape[c.axis] {
			continue
		}
		if t.freed && x.batch.is && c.axis == x.batch.axis && c.start == 0 && c.step == 1 &&
			c.count == x.batch.outer*x.batch.per {
			continue // takes the only sample that the file has
		}
		if err := x.apart(c.axis); err != nil {
			return nil, err
		}
		shape := slices.Clone(x.shape)
		shape[c.axis] = c.count
		c := c
		if x.c != nil {
			x = constantValue(x.c.cut(c))
			continue
		}
		if x, err = t.add(n, "Slice", x.elem, shape, x.batch, &c, x); err != nil {
			return nil, err
		}
		whole = false
	}
	if whole && x.c == nil {
		return t.alias(n, x, x.elem)
	}
	return x, nil
}

func lowerSlice(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 5); err != nil {
		return nil, err
	}
	args := make([]*constant, len(in))
	for i, v := range in[1:] {
		if v != nil {
			if v.c == nil {
				return nil, unsupportedf("where it cuts is computed from images")
			}
			args[i+1] = v.c
		}
	}
	cuts, err := cutsOf(n, in[0].shape, args)
	if err != nil {
		return nil, err
	}
	return one(t.slice(n, in[0], cuts))
}

func lowerSplit(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", 0), x.rank())
	if err != nil {
		return nil, err
	}
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("the sizes of its parts are computed from images")
		}
		c = v.c
	}
	sizes, err := splitsOf(n, x.shape[axis], c)
	if err != nil {
		return nil, err
	}
	out := make([]*value, len(sizes))
	at := 0
	for i, s := range sizes {
		if out[i], err = t.slice(n, x, []cut{{axis, at, 1, s}}); err != nil {
			return nil, err
		}
		at += s
	}
	return out, nil
}

func lowerPad(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 4); err != nil {
		return nil, err
	}
	x := in[0]
	args := make([]*constant, len(in))
	for i, v := range in[1:] {
		if v != nil {
			if v.c == nil {
				return nil, unsupportedf("what it pads with is computed from images")
			}
			args[i+1] = v.c
		}
	}
	p, err := paddingOf(n, x.shape, args)
	if err != nil {
		return nil, err
	}
	shape, err := p.shape(x.shape)
	if err != nil {
		return nil, err
	}
	for axis := range shape {
		if p.before[axis] != 0 || p.after[axis] != 0 {
			if err := x.apart(axis); err != nil {
				return nil, err
			}
		}
	}
	if !slices.ContainsFunc(slices.Concat(p.before, p.after), func(v int) bool { return v != 0 }) {
		return one(t.alias(n, x, x.elem))
	}
	// Negative padding is cut off first.
	var cuts []cut
	for a := range shape {
		low, high := max(-p.before[a], 0), max(-p.after[a], 0)
		if low+high > x.shape[a] {
			return nil, fmt.Errorf("pads %v and %v of shape %v", p.before, p.after, x.shape)
		}
		if low+high > 0 {
			cuts = append(cuts, cut{a, low, 1, x.shape[a] - low - high})
		}
		p.before[a], p.after[a] = max(p.before[a], 0), max(p.after[a], 0)
	}
	if len(cuts) > 0 {
		if x, err = t.slice(n, x, cuts); err != nil {
			return nil, err
		}
	}
	switch p.mode {
	case "constant", "reflect", "edge", "wrap":
	default:
		return nil, unsupportedf("mode %q", p.mode)
	}
	return one(t.add(n, "Pad", x.elem, shape, x.batch, &p, x))
}

type gatherAttrs struct {
	axis  int
	index []int
}

func lowerGather(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	axis, err := axisIn(n.int("axis", 0), x.rank())
	if err != nil {
		return nil, err
	}
	if in[1].c == nil {
		return nil, unsupportedf("its indices are computed from images")
	}
	index, err := indicesIn(in[1].c, x.shape[axis])
	if err != nil {
		return nil, err
	}
	if x.batch.is && x.batch.axis == axis && len(index) == x.shape[axis] {
		// All elements in order: some exporters write a reshape this way.
		all := true
		for i, v := range index {
			all = all && i == v
		}
		if all {
			return one(t.reshape(n, x, slices.Concat(x.shape[:axis], in[1].shape, x.shape[axis+1:])))
		}
	}
	if err := x.apart(axis); err != nil {
		return nil, err
	}
	flat := slices.Clone(x.shape)
	flat[axis] = len(index)
	shape := slices.Concat(x.shape[:axis], in[1].shape, x.shape[axis+1:])
	b := x.batch
	if b.is && b.axis > axis {
		b.axis += in[1].rank() - 1
	}
	if product(shape) == 0 {
		return []*value{constantValue(newConstant(x.elem, shape...))}, nil
	}
	// Indices with a constant step are a slice.
	step := 1
	if len(index) > 1 {
		step = index[1] - index[0]
	}
	regular := step != 0
	for i := range index {
		regular = regular && index[i] == index[0]+i*step
	}
	var v *value
	if regular && x.c == nil {
		v, err = t.add(n, "Slice", x.elem, flat, x.batch, &cut{axis, index[0], step, len(index)}, x)
	} else {
		v, err = t.add(n, "Gather", x.elem, flat, x.batch, &gatherAttrs{axis, index}, x)
	}
	if err != nil || in[1].rank() == 1 {
		return one(v, err)
	}
	return one(t.add(n, "Reshape", x.elem, shape, b, nil, v))
}

type blockAttrs struct {
	block int
	crd   bool
}

func lowerBlocks(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x, block := in[0], n.int("blocksize", 0)
	if x.rank() != 4 || block < 1 || block > maxElements {
		return nil, fmt.Errorf("input of shape %v with blocks of %d", x.shape, block)
	}
	if err := x.first(); err != nil {
		return nil, err
	}
	s := slices.Clone(x.shape)
	if n.op == "DepthToSpace" {
		if s[1]%(block*block) != 0 {
			return nil, fmt.Errorf("%d channels with blocks of %d", s[1], block)
		}
		s[1], s[2], s[3] = s[1]/block/block, s[2]*block, s[3]*block
	} else {
		if s[2]%block != 0 || s[3]%block != 0 {
			return nil, fmt.Errorf("input of shape %v with blocks of %d", x.shape, block)
		}
		s[1], s[2], s[3] = s[1]*block*block, s[2]/block, s[3]/block
	}
	return one(t.add(n, n.op, x.elem, s, x.batch, &blockAttrs{block, n.str("mode", "DCR") == "CRD"}, x))
}
