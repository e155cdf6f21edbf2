package graphtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"
)

// T is what *testing.T, *testing.B and *rapid.T have in common.
type T interface {
	// Helper marks the caller as a function whose lines are not reported.
	Helper()
	// Fatalf ends the test with a message.
	Fatalf(format string, args ...any)
}

// Array is a tensor of a test, row-major, held in float64 whatever the graph computes in.
type Array struct {
	Shape []int     // axis lengths, outermost first
	Data  []float64 // as many as the product of Shape
}

func size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// NewArray returns an array of the given elements, which it keeps. It panics unless the shape has as many.
func NewArray(shape []int, data []float64) Array {
	if size(shape) != len(data) {
		panic(fmt.Sprintf("graphtest: expected the %d elements of shape %v, got %d", size(shape), shape, len(data)))
	}
	return Array{shape, data}
}

// Zeros returns an array of zeros.
func Zeros(shape ...int) Array { return Array{shape, make([]float64, size(shape))} }

// Normal returns standard normal elements that float32 holds exactly.
func Normal(r *rand.Rand, shape ...int) Array {
	a := Zeros(shape...)
	for i := range a.Data {
		a.Data[i] = float64(float32(r.NormFloat64()))
	}
	return a
}

// Spread returns distinct elements in [-2, 2] that float32 holds exactly, evenly spaced, none of them near 0, in random
// order. They lie far from the kinks of ReLU, clip and maximum, where central differences do not give the gradient.
func Spread(r *rand.Rand, shape ...int) Array {
	a := Zeros(shape...)
	n := len(a.Data)
	for i, k := range r.Perm(n) {
		a.Data[i] = float64(float32((float64(2*k+1)/float64(n) - 1 + 0.3/float64(n)) * 2))
	}
	return a
}

// Each calls f with every index of a shape, the last axis fastest. f must neither change nor keep the index.
func Each(shape []int, f func(i []int)) {
	idx := make([]int, len(shape))
	for range size(shape) {
		f(idx)
		for a := len(idx) - 1; a >= 0; a-- {
			if idx[a]++; idx[a] < shape[a] {
				break
			}
			idx[a] = 0
		}
	}
}

// Map returns the array of f's values at every index.
func Map(shape []int, f func(i []int) float64) Array {
	out := Zeros(shape...)
	k := 0
	Each(shape, func(i []int) {
		out.Data[k] = f(i)
		k++
	})
	return out
}

// At returns an element, and 0 outside of the array: zero padding.
func (a Array) At(i ...int) float64 {
	at := 0
	for axis, k := range i {
		if k < 0 || k >= a.Shape[axis] {
			return 0
		}
		at = at*a.Shape[axis] + k
	}
	return a.Data[at]
}

// sample returns row i along the first axis as a batch of one.
func (a Array) sample(i int) Array {
	n := len(a.Data) / a.Shape[0]
	return Array{append([]int{1}, a.Shape[1:]...), a.Data[i*n:][:n]}
}

// Input is an input of an operation under test.
type Input struct {
	Array
	Classes []int // instead of elements: [batch] of int
	Fixed   bool  // the input has no gradient
	// PerSample marks an input whose first axis is the batch. An operation with any such input must treat each sample
	// alike in any batch.
	PerSample bool
}

// Variable returns an input with a gradient.
func Variable(a Array) Input { return Input{Array: a} }

// Constant returns an input without a gradient.
func Constant(a Array) Input { return Input{Array: a, Fixed: true} }

// ClassInput returns an input of one class, or another int, per sample. It has no gradient.
func ClassInput(class ...int) Input { return Input{Classes: class, Fixed: true, PerSample: true} }

// Batched returns the input as one whose first axis is the batch.
func (in Input) Batched() Input {
	in.PerSample = true
	return in
}

// Reversed returns an input of other values of the same distribution: the same elements in reverse order.
func (in Input) Reversed() Input {
	in.Data, in.Classes = slices.Clone(in.Data), slices.Clone(in.Classes)
	slices.Reverse(in.Data)
	slices.Reverse(in.Classes)
	return in
}

func (in Input) isClass() bool { return in.Classes != nil }

// samples returns the batch size of an input whose first axis is the batch.
func (in Input) samples() int {
	if in.isClass() {
		return len(in.Classes)
	}
	return in.Shape[0]
}

// sample returns the input for a batch of sample i alone.
func (in Input) sample(i int) Input {
	switch {
	case !in.PerSample:
	case in.isClass():
		in.Classes = in.Classes[i : i+1]
	default:
		in.Array = in.Array.sample(i)
	}
	return in
}

func (in Input) withData(x []float64) Input {
	in.Array = Array{in.Shape, x}
	return in
}

// Floats copies a value's elements, which must be of float64, float32 or int.
func Floats(t T, v G.Value) []float64 {
	t.Helper()
	switch data := v.Data().(type) {
	case []float64:
		return slices.Clone(data)
	case []float32:
		return widen(data)
	case []int:
		return widen(data)
	case float64:
		return []float64{data}
	case float32:
		return []float64{float64(data)}
	}
	t.Fatalf("value: expected float64, float32 or int, got %T", v.Data())
	return nil
}

func widen[E float32 | int](x []E) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// RequireClose fails the test where elements differ by more than tol, relative to the largest of want if that is beyond
// 1. NaN equals NaN, and infinities equal themselves.
func RequireClose(t T, want, got []float64, tol float64, what string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: expected %d elements, got %d", what, len(want), len(got))
	}
	requireWithin(t, want, got, tol*max(1, largest(want)), what)
}

// requireWithin fails the test where elements differ by more than bound. NaN equals NaN, and infinities equal
// themselves.
func requireWithin(t T, want, got []float64, bound float64, what string) {
	t.Helper()
	for i, w := range want {
		if g := got[i]; g != w && !(math.IsNaN(g) && math.IsNaN(w)) && !(math.Abs(g-w) <= bound) {
			t.Fatalf("%s: element %d of %d: expected %v ± %g, got %v", what, i, len(want), w, bound, g)
		}
	}
}

// RequireSameBits fails the test unless two lists of results are the same bit for bit.
func RequireSameBits(t T, want, got [][]float64, what string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: expected %d results, got %d", what, len(want), len(got))
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s: result %d: expected %d elements, got %d", what, i, len(want[i]), len(got[i]))
		}
		for j := range want[i] {
			if math.Float64bits(want[i][j]) != math.Float64bits(got[i][j]) {
				t.Fatalf("%s: result %d, element %d: expected the bits of %v, got %v", what, i, j, want[i][j],
					got[i][j])
			}
		}
	}
}
