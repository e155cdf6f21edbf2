package onnx

import (
	"fmt"
)

// foldings maps operators to functions that compute them on constants, of any element type.
var foldings map[string]folding

func init() {
	foldings = map[string]folding{
		"Shape": foldShape, "Size": foldSize, "Constant": foldConstant, "ConstantOfShape": foldConstantOfShape,
		"Range": foldRange,
		"Cast":  foldCast, "CastLike": foldCastLike, "Where": foldWhere, "Clip": foldClip,
		"MatMul": foldMatMul, "CumSum": foldCumSum, "EyeLike": foldEyeLike, "Trilu": foldTrilu, "NonZero": foldNonZero,
		"OneHot": foldOneHot,
	}
	for name, f := range layoutFoldings {
		foldings[name] = f
	}
	for name, f := range unaryMath {
		foldings[name] = foldUnary(f)
	}
	for name, f := range binaryMath {
		foldings[name] = foldBinary(name, f)
	}
	for name := range reductions {
		foldings[name] = foldReduce
	}
}

// wantInputs fails unless the number of inputs is within bounds and the first least of them are present.
func wantInputs[T any](in []*T, least, most int) error {
	if len(in) < least || most >= 0 && len(in) > most {
		switch {
		case least == most:
			return fmt.Errorf("inputs: expected %d, got %d", least, len(in))
		case most < 0:
			return fmt.Errorf("inputs: expected at least %d, got %d", least, len(in))
		}
		return fmt.Errorf("inputs: expected %d to %d, got %d", least, most, len(in))
	}
	for i := range least {
		if in[i] == nil {
			return fmt.Errorf("input %d is left out", i)
		}
	}
	return nil
}

// arg returns input i, nil if it is left out.
func arg[T any](in []*T, i int) *T {
	if i < len(in) {
		return in[i]
	}
	return nil
}

func foldShape(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	return []*constant{intConstant(shapeRange(n, in[0].shape)...)}, nil
}

// shapeRange returns the part of a shape that a Shape node takes (start and end from opset 15 on).
func shapeRange(n *node, shape []int) []int {
	r := len(shape)
	at := func(v int) int {
		if v < 0 {
			v += r
		}
		return min(max(v, 0), r)
	}
	start, end := at(n.int("start", 0)), at(n.int("end", r))
	return shape[start:max(start, end)]
}

func foldSize(_ *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 1, 1); err != nil {
		return nil, err
	}
	c := newConstant(elemInt64)
	c.i64[0] = int64(in[0].len())
	return []*constant{c}, nil
}

// room fails if a constant of n elements is larger than what folding may still make.
func (t *tracer) room(e elem, n int) error {
	if units(e, n) > t.work {
		return fmt.Errorf("a constant of %d elements of %v: constants of more than %d bytes in all are computed", n, e,
			4*foldWork)
	}
	return nil
}
