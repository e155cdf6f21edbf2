package npyz

import (
	"fmt"
	"math"
	"slices"
)

// AsFloat32 returns the elements as float32. Every element must be a number that float32 holds exactly (NaN and the
// infinities of float64 count as held); the error names the first that is not. A []float32 is returned as it is, not
// copied. Booleans and strings are refused. See [Array.RoundFloat32] for data that may be rounded.
func (a Array) AsFloat32() ([]float32, error) {
	switch d := a.Data.(type) {
	case []float32:
		return d, nil
	case []float64:
		return convert(d, func(v float64) (float32, bool) {
			f := float32(v)
			return f, float64(f) == v || v != v
		}, "float32")
	case []int64:
		return convert(d, func(v int64) (float32, bool) {
			f := float32(v)
			return f, float64(f) < math.MaxInt64 && int64(f) == v
		}, "float32")
	case []int32:
		return convert(d, func(v int32) (float32, bool) { f := float32(v); return f, int64(f) == int64(v) }, "float32")
	case []uint8:
		return convert(d, func(v uint8) (float32, bool) { return float32(v), true }, "float32")
	}
	return nil, notConvertible(a, "float32")
}

// RoundFloat32 is [Array.AsFloat32], except that numbers which float32 does not hold exactly are rounded to the
// nearest. A finite number that would become infinite is an error.
func (a Array) RoundFloat32() ([]float32, error) {
	switch d := a.Data.(type) {
	case []float64:
		return convert(d, func(v float64) (float32, bool) {
			f := float32(v)
			return f, !math.IsInf(float64(f), 0) || math.IsInf(v, 0)
		}, "float32")
	case []int64:
		return convert(d, func(v int64) (float32, bool) { return float32(v), true }, "float32")
	case []int32:
		return convert(d, func(v int32) (float32, bool) { return float32(v), true }, "float32")
	}
	return a.AsFloat32()
}

// AsFloat64 returns the elements as float64. Every element must be a number that float64 holds exactly; the error
// names the first that is not. A []float64 is returned as it is, not copied. Booleans and strings are refused.
func (a Array) AsFloat64() ([]float64, error) {
	switch d := a.Data.(type) {
	case []float64:
		return d, nil
	case []float32:
		return convert(d, func(v float32) (float64, bool) { return float64(v), true }, "float64")
	case []int64:
		return convert(d, func(v int64) (float64, bool) {
			f := float64(v)
			return f, f < math.MaxInt64 && int64(f) == v
		}, "float64")
	case []int32:
		return convert(d, func(v int32) (float64, bool) { return float64(v), true }, "float64")
	case []uint8:
		return convert(d, func(v uint8) (float64, bool) { return float64(v), true }, "float64")
	}
	return nil, notConvertible(a, "float64")
}

// AsInt64 returns the elements as int64. Floating-point elements must be whole numbers in range; the error names the
// first that is not. Booleans become 0 and 1. A []int64 is returned as it is, not copied. Strings are refused.
func (a Array) AsInt64() ([]int64, error) {
	switch d := a.Data.(type) {
	case []int64:
		return d, nil
	case []float64:
		return convert(d, wholeInt64, "int64")
	case []float32:
		return convert(d, func(v float32) (int64, bool) { return wholeInt64(float64(v)) }, "int64")
	case []int32:
		return convert(d, func(v int32) (int64, bool) { return int64(v), true }, "int64")
	case []uint8:
		return convert(d, func(v uint8) (int64, bool) { return int64(v), true }, "int64")
	case []bool:
		return convert(d, func(v bool) (int64, bool) {
			if v {
				return 1, true
			}
			return 0, true
		}, "int64")
	}
	return nil, notConvertible(a, "int64")
}

// AsInts is [Array.AsInt64] with elements of type int. An element that does not fit is an error.
func (a Array) AsInts() ([]int, error) {
	d, err := a.AsInt64()
	if err != nil {
		return nil, err
	}
	out := make([]int, len(d))
	for i, v := range d {
		if int64(int(v)) != v {
			return nil, fmt.Errorf("element %d is %d, which int does not hold", i, v)
		}
		out[i] = int(v)
	}
	return out, nil
}

// AsStrings returns the elements of a string array, without a copy. Other element types are an error.
func (a Array) AsStrings() ([]string, error) {
	if d, ok := a.Data.([]string); ok {
		return d, nil
	}
	return nil, notConvertible(a, "string")
}

// CheckShape returns an error unless the array has the given shape. A negative length in want stands for any length.
func (a Array) CheckShape(want ...int) error {
	ok := slices.EqualFunc(a.Shape, want, func(got, want int) bool { return want < 0 || got == want })
	if !ok {
		return fmt.Errorf("expected shape %v, got %v", shapeText(want), a.Shape)
	}
	return nil
}

func shapeText(shape []int) []string {
	out := make([]string, len(shape))
	for i, d := range shape {
		out[i] = "any"
		if d >= 0 {
			out[i] = fmt.Sprint(d)
		}
	}
	return out
}

// wholeInt64 converts a whole number within [-2^63, 2^63).
func wholeInt64(v float64) (int64, bool) {
	if v != math.Trunc(v) || v < math.MinInt64 || v >= math.MaxInt64 { // NaN fails the first test
		return 0, false
	}
	return int64(v), true
}

func convert[From, To Element](src []From, f func(From) (To, bool), to string) ([]To, error) {
	out := make([]To, len(src))
	for i, v := range src {
		c, ok := f(v)
		if !ok {
			return nil, fmt.Errorf("element %d is %v, which %s does not hold", i, v, to)
		}
		out[i] = c
	}
	return out, nil
}

func notConvertible(a Array, to string) error {
	return fmt.Errorf("expected elements of %s, got %s", to, a.TypeName())
}
