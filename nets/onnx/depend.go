package onnx

import "slices"

// This file finds which elements of a constant depend on the batch size, through shape arithmetic. A file that fixes
// its batch contains some parts of a shape as they were at export, and computes others from the shapes of values.

// maskLimit limits the size of constants that are followed element by element. These are shapes, and short.
const maskLimit = 1 << 12

// maskOf returns, for each element of a constant, whether it depends on the batch size.
func (v *value) maskOf() *constant {
	if v.depends != nil {
		return v.depends
	}
	mask := newConstant(elemInt64, v.c.shape...)
	if !v.static {
		for i := range mask.i64 {
			mask.i64[i] = 1
		}
	}
	return mask
}

// moving lists the operators that move elements of their first input without changing them. For Concat that holds for
// all inputs.
var moving = []string{
	"Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Transpose", "Expand", "Identity",
	"Split", "Tile",
}

// depend finds which elements of a node's constant outputs depend on the batch size.
func (t *tracer) depend(n *node, in, out []*value) {
	for _, v := range in {
		if v != nil && v.c.len() > maskLimit {
			return
		}
	}
	for _, v := range out {
		if v != nil && v.c.len() > maskLimit {
			return
		}
	}
	var masks []*constant
	switch {
	case slices.Contains(moving, n.op):
		args := make([]*constant, len(in))
		for i, v := range in {
			switch {
			case v == nil:
			case i == 0 || n.op == "Concat":
				args[i] = v.maskOf()
			case v.static:
				args[i] = v.c
			default:
				return
			}
		}
		var err error
		if masks, err = foldings[n.op](t, n, args); err != nil {
			return
		}
	case n.op == "Cast" || n.op == "CastLike" || n.op == "Floor" || n.op == "Ceil" || n.op == "Neg" || n.op == "Abs" ||
		n.op == "Sqrt":
		masks = []*constant{in[0].maskOf()}
	case binaryMath[n.op].f != nil && in[0] != nil:
		mask := in[0].maskOf()
		for _, v := range in[1:] {
			var err error
			if mask, err = t.pairwise(binaryMath["Max"], mask, v.maskOf()); err != nil {
				return
			}
		}
		masks = []*constant{mask}
	default:
		return
	}
	for i, v := range out {
		if v == nil || i >= len(masks) || masks[i] == nil || masks[i].len() != v.c.len() {
			continue
		}
		v.depends = masks[i]
		v.static = !slices.Contains(masks[i].i64, 1)
	}
}
