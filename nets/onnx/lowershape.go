package onnx

import (
	"fmt"
	"slices"
)

func (c *chain) reshape(x *value, shape ...int) *value {
	return c.do(func() (*value, error) { return c.t.reshape(c.n, x, shape) })
}

func (c *chain) transpose(x *value, perm ...int) *value {
	return c.do(func() (*value, error) { return c.t.transpose(c.n, x, perm) })
}

// alias returns a value with another element type.
func (t *tracer) alias(n *node, x *value, e elem) (*value, error) {
	return t.add(n, "Reshape", e, x.shape, x.batch, nil, x)
}

func lowerIdentity(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	return one(t.alias(n, in[0], in[0].elem))
}

func lowerDropout(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 3); err != nil {
		return nil, err
	}
	if v := arg(in, 2); v != nil {
		if on, ok := v.scalar(); !ok || on != 0 {
			return nil, unsupportedf("it is in training mode")
		}
	}
	v, err := t.alias(n, in[0], in[0].elem)
	if err != nil {
		return nil, err
	}
	out := []*value{v}
	if len(n.out) > 1 && n.out[1] != "" {
		if err := t.room(elemBool, product(in[0].shape)); err != nil {
			return nil, err
		}
		mask := newConstant(elemBool, in[0].shape...)
		for i := range mask.i64 {
			mask.i64[i] = 1
		}
		out = append(out, constantValue(mask))
	}
	return out, nil
}

func lowerCast(t *tracer, n *node, in []*value) ([]*value, error) {
	most := 1
	if n.op == "CastLike" {
		most = 2
	}
	if err := wantInputs(in, most, most); err != nil {
		return nil, err
	}
	x, e := in[0], elem(n.int("to", 0))
	if n.op == "CastLike" {
		e = in[1].elem
	}
	if x.c != nil {
		out, err := castTo(e, x.c)
		if err != nil {
			return nil, err
		}
		v := constantValue(out[0])
		v.static, v.batch, v.shape = x.static, x.batch, x.shape
		return []*value{v}, nil
	}
	switch {
	case !e.known():
		return nil, unsupportedf("a cast to %v", e)
	case e == elemBool && x.elem != elemBool:
		c := &chain{t: t, n: n}
		v := c.unary(c.binary("Equal", x, literal(x.elem, 0)), "Not")
		if v != nil {
			v.elem = elemBool
		}
		return c.result(v)
	case !e.isFloat() && x.elem.isFloat():
		v, err := t.truncate(n, x)
		if err == nil {
			v.elem = e
		}
		return one(v, err)
	}
	return one(t.alias(n, x, e))
}

func lowerShape(_ *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	x := in[0]
	c := intConstant(shapeRange(n, x.shape)...)
	if n.op == "Size" {
		c = newConstant(elemInt64)
		c.i64[0] = int64(product(x.shape))
	}
	v := constantValue(c)
	v.static = !x.batch.is
	if n.op == "Shape" && x.batch.is {
		axes := make([]int, x.rank())
		axes[x.batch.axis] = 1
		v.depends = intConstant(shapeRange(n, axes)...)
		v.static = !slices.Contains(v.depends.i64, 1)
	}
	return []*value{v}, nil
}

// reshape adds a reshape to a shape that is meant for the tracer's batch. Elements keep their row-major order.
func (t *tracer) reshape(n *node, x *value, shape []int) (*value, error) {
	b, err := t.reshapeBatching(x.shape, x.batch, shape)
	if err != nil {
		return nil, err
	}
	return t.add(n, "Reshape", x.elem, shape, b, nil, x)
}

func lowerReshape(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 2); err != nil {
		return nil, err
	}
	x := in[0]
	var c *constant
	if v := arg(in, 1); v != nil {
		if v.c == nil {
			return nil, unsupportedf("its %s is computed from images", map[bool]string{true: "shape",
				false: "axes"}[n.op == "Reshape"])
		}
		c = v.c
	}
	var shape []int
	var err error
	switch n.op {
	case "Flatten":
		shape, err = flattenTo(n, x.shape)
	case "Squeeze":
		if axes, e := axesOf(n, c, 13); e == nil && axes == nil && x.batch.is {
			// Without axes, all axes of size 1 are removed, whatever the batch size is.
			shape = slices.Clone(x.shape)
			for i := len(shape) - 1; i >= 0; i-- {
				if shape[i] == 1 {
					shape = slices.Delete(shape, i, i+1)
				}
			}
			break
		}
		shape, err = squeezeTo(n, x.shape, c)
	case "Unsqueeze":
		shape, err = unsqueezeTo(n, x.shape, c)
	default:
		if err := wantInputs(in, 2, 2); err != nil {
			return nil, err
		}
		target, e := shapeIn(c)
		if e != nil {
			return nil, e
		}
		from := x.shape
		rewrite := t.freed && in[1].static && x.batch.is
		if rewrite {
			from = t.ownShape(x)
		}
		shape, err = reshapeTo(from, target, n.int("allowzero", 0) != 0)
		if err == nil && rewrite {
			shape, err = t.freeTarget(x, shape)
		}
	}
	if err != nil {
		return nil, err
	}
	if n.op == "Squeeze" || n.op == "Unsqueeze" {
		return one(t.moveAxes(n, x, shape))
	}
	return one(t.reshape(n, x, shape))
}

// moveAxes adds a reshape that only adds or removes axes of size 1, so that the samples keep their axis.
func (t *tracer) moveAxes(n *node, x *value, shape []int) (*value, error) {
	b := x.batch
	if b.is && x.shape[b.axis] > 1 {
		large := func(s []int, end int) (count int) {
			for _, d := range s[:end] {
				if d > 1 {
					count++
				}
			}
			return count
		}
		nth := large(x.shape, b.axis)
		for i, d := range shape {
			if d > 1 && large(shape, i) == nth {
				b.axis = i
				break
			}
		}
	}
	return t.add(n, "Reshape", x.elem, shape, b, nil, x)
}

type transposeAttrs struct{ perm []int }

func (t *tracer) transpose(n *node, x *value, perm []int) (*value, error) {
	b := x.batch
	if b.is {
		b.axis = slices.Index(perm, b.axis)
	}
	return t.add(n, "Transpose", x.elem, permuted(x.shape, perm), b, &transposeAttrs{perm}, x)
}

func lowerTranspose(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	perm, err := permOf(n, in[0].rank())
	if err != nil {
		return nil, err
	}
	return one(t.transpose(n, in[0], perm))
}

func lowerExpand(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].c == nil {
		return nil, unsupportedf("its shape is computed from images")
	}
	target, err := shapeIn(in[1].c)
	if err != nil {
		return nil, err
	}
	for _, d := range target {
		if d < 0 {
			return nil, fmt.Errorf("to shape %v", target)
		}
	}
	b := x.batch
	if b.is {
		b.axis += max(len(target)-x.rank(), 0)
		if at := b.axis - (max(len(target), x.rank()) - len(target)); t.freed && in[1].static && at >= 0 &&
			target[at] == b.outer*b.per {
			target[at] = x.shape[x.batch.axis]
		}
	}
	shape, err := broadcast(x.shape, target)
	if err != nil {
		return nil, err
	}
	if slices.Equal(shape, x.shape) {
		return one(t.alias(n, x, x.elem))
	}
	return one(t.add(n, "Expand", x.elem, shape, b, nil, x))
}

type tileAttrs struct{ reps []int }

func lowerTile(t *tracer, n *node, in []*value) ([]*value, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].c == nil {
		return nil, unsupportedf("its repeats are computed from images")
	}
	reps, shape, err := tilesOf(x.shape, in[1].c)
	if err != nil {
		return nil, err
	}
	for a, r := range reps {
		if r != 1 {
			if err := x.apart(a); err != nil {
				return nil, err
			}
		}
	}
	return one(t.add(n, "Tile", x.elem, shape, x.batch, &tileAttrs{reps}, x))
}
