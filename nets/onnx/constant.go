package onnx

import (
	"fmt"
	"math"
	"slices"
)

// constant is a tensor of known values, in row-major order, in one of the slices. A rank of 0 and axes of size 0 are
// allowed.
type constant struct {
	elem  elem
	shape []int
	f32   []float32 // float32, float16, bfloat16
	f64   []float64
	i64   []int64 // integers and bool
}

// maxElements limits the number of elements of a tensor, constant or not.
const maxElements = 1 << (30 + ^uint(0)>>63) // 2^31, or 2^30 where an int has 32 bits

// sizeOf returns the number of elements of a shape. A negative axis or too many elements are an error.
func sizeOf(shape []int) (int, error) {
	n := 1
	for _, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v has a negative axis", shape)
		}
		if s > 0 && n > maxElements/s {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, maxElements)
		}
		n *= s
	}
	return n, nil
}

// product returns the product of sizes that sizeOf has checked.
func product(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// newConstant returns a tensor of zeros. The shape must have been checked.
func newConstant(e elem, shape ...int) *constant {
	t := &constant{elem: e, shape: slices.Clone(shape)}
	if t.shape == nil {
		t.shape = []int{}
	}
	n := product(shape)
	switch {
	case e == elemFloat64:
		t.f64 = make([]float64, n)
	case e.isFloat():
		t.f32 = make([]float32, n)
	default:
		t.i64 = make([]int64, n)
	}
	return t
}

// intConstant returns a vector of int64.
func intConstant(v ...int) *constant {
	t := newConstant(elemInt64, len(v))
	for i, x := range v {
		t.i64[i] = int64(x)
	}
	return t
}

func (t *constant) len() int { return len(t.f32) + len(t.f64) + len(t.i64) }

// at returns element i as a number.
func (t *constant) at(i int) float64 {
	switch {
	case t.f32 != nil:
		return float64(t.f32[i])
	case t.f64 != nil:
		return t.f64[i]
	}
	if t.elem == elemUint64 {
		return float64(uint64(t.i64[i]))
	}
	return float64(t.i64[i])
}

// set writes element i, rounded to the element type or, for integers, wrapped.
func (t *constant) set(i int, v float64) {
	switch {
	case t.f32 != nil:
		t.f32[i] = roundTo(t.elem, v)
	case t.f64 != nil:
		t.f64[i] = v
	case t.elem == elemBool:
		t.i64[i] = 0
		if v != 0 {
			t.i64[i] = 1
		}
	default:
		t.i64[i] = t.elem.wrap(toInt(v))
	}
}

// toInt truncates a number towards zero. It saturates numbers out of range, and NaN gives 0.
func toInt(v float64) int64 {
	switch {
	case v != v:
		return 0
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	}
	return int64(v)
}

// intAt returns element i, truncated towards zero.
func (t *constant) intAt(i int) int64 {
	if t.i64 != nil {
		return t.i64[i]
	}
	return toInt(t.at(i))
}

// ints returns all elements of a short tensor, such as a shape or axes, as ints.
func (t *constant) ints() []int {
	out := make([]int, t.len())
	for i := range out {
		out[i] = int(t.intAt(i))
	}
	return out
}

// floats returns all elements as float64.
func (t *constant) floats() []float64 {
	if t.f64 != nil {
		return t.f64
	}
	out := make([]float64, t.len())
	for i := range out {
		out[i] = t.at(i)
	}
	return out
}

// float32s returns all elements as float32. A tensor that holds float32 returns its own memory.
func (t *constant) float32s() []float32 {
	if t.f32 != nil {
		return t.f32
	}
	out := make([]float32, t.len())
	for i := range out {
		out[i] = float32(t.at(i))
	}
	return out
}

// reshaped returns the same elements, without a copy, in another shape of equal size.
func (t *constant) reshaped(shape ...int) *constant {
	out := *t
	out.shape = slices.Clone(shape)
	if out.shape == nil {
		out.shape = []int{}
	}
	return &out
}

// copied returns a new tensor, which fill puts together from ranges of t. copyRange copies n elements, step apart from
// src on, to dst.
func (t *constant) copied(shape []int, fill func(copyRange func(dst, src, n, step int))) *constant {
	out := newConstant(t.elem, shape...)
	fill(func(dst, src, n, step int) {
		switch {
		case t.f32 != nil:
			copyStep(out.f32[dst:dst+n], t.f32, src, step)
		case t.f64 != nil:
			copyStep(out.f64[dst:dst+n], t.f64, src, step)
		case t.i64 != nil:
			copyStep(out.i64[dst:dst+n], t.i64, src, step)
		}
	})
	return out
}

func copyStep[T any](dst, src []T, at, step int) {
	if step == 1 {
		copy(dst, src[at:])
		return
	}
	for i := range dst {
		dst[i] = src[at]
		at += step
	}
}

// roundTo returns the nearest value of a floating-point type, ties to even, as float32.
func roundTo(e elem, v float64) float32 {
	switch e {
	case elemFloat16:
		return halfRound(v)
	case elemBfloat16:
		f := float32(v)
		bits := math.Float32bits(f)
		if f != f || bits&0x7fffffff == 0x7f800000 {
			return f
		}
		bits += 0x7fff + bits>>16&1
		return math.Float32frombits(bits &^ 0xffff)
	}
	return float32(v)
}

// halfRound returns the nearest float16: numbers with 11 significant bits, a smallest step of 2^-24, and infinity from
// 65520 on.
func halfRound(v float64) float32 {
	if v != v || math.IsInf(v, 0) || v == 0 {
		return float32(v)
	}
	_, exp := math.Frexp(v)
	step := math.Ldexp(1, max(exp-11, -24))
	v = math.RoundToEven(v/step) * step
	if math.Abs(v) > 65504 {
		v = math.Copysign(math.Inf(1), v)
	}
	return float32(v)
}
