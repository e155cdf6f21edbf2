package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/invariant"
)

// Outputs holds what a program fetched for one batch, one row per sample in the order of the batch. Its slices are
// valid until the stream's next batch: clone those that must last longer.
type Outputs struct {
	// N is the number of samples.
	N int
	// Labels holds the batch's labels, -1 where unknown. Its length is N.
	Labels []int
	fields map[string]*field
}

// field is the memory of one fetched node.
type field struct {
	shape []int // of one sample
	size  int   // elements of one sample
	f32   []float32
	f64   []float64
	ints  []int
}

func newField(dtype tensor.Dtype, shape []int) *field {
	f := &field{shape: shape, size: tensor.Shape(shape).TotalSize()}
	switch dtype {
	case tensor.Float32:
		f.f32 = []float32{}
	case tensor.Float64:
		f.f64 = []float64{}
	default:
		f.ints = []int{}
	}
	return f
}

// resize makes room for n samples.
func (f *field) resize(n int) {
	n *= f.size
	switch {
	case f.f32 != nil:
		f.f32 = slices.Grow(f.f32[:0], n)[:n]
	case f.f64 != nil:
		f.f64 = slices.Grow(f.f64[:0], n)[:n]
	default:
		f.ints = slices.Grow(f.ints[:0], n)[:n]
	}
}

// poison overwrites the outputs with NaN, in builds that check invariants, so that a reader who keeps them beyond the
// next batch notices.
func (o *Outputs) poison() {
	if !invariant.On {
		return
	}
	invariant.Poison(o.Labels)
	for _, f := range o.fields {
		invariant.Poison(f.f32)
		invariant.Poison(f.f64)
		invariant.Poison(f.ints)
	}
}

func (o *Outputs) field(name string) *field {
	f := o.fields[name]
	if f == nil {
		panic(fmt.Sprintf("graph: %q was not fetched", name))
	}
	return f
}

// Float32 returns the rows of a fetched node, [N, Shape(name)...] row-major. It panics if the node was not fetched or
// does not hold float32, which is a mistake of the caller.
func (o *Outputs) Float32(name string) []float32 {
	f := o.field(name)
	if f.f32 == nil {
		panic(fmt.Sprintf("graph: %q does not hold float32", name))
	}
	return f.f32
}

// Float64 is Float32 for a program compiled with tensor.Float64.
func (o *Outputs) Float64(name string) []float64 {
	f := o.field(name)
	if f.f64 == nil {
		panic(fmt.Sprintf("graph: %q does not hold float64", name))
	}
	return f.f64
}

// Ints is Float32 for a node of classes.
func (o *Outputs) Ints(name string) []int {
	f := o.field(name)
	if f.ints == nil {
		panic(fmt.Sprintf("graph: %q does not hold classes", name))
	}
	return f.ints
}

// Dtype returns the element type of a fetched node: tensor.Float32 or tensor.Float64, as the program was compiled, or
// tensor.Int for a node of classes. It panics if the node was not fetched.
func (o *Outputs) Dtype(name string) tensor.Dtype {
	switch f := o.field(name); {
	case f.f32 != nil:
		return tensor.Float32
	case f.f64 != nil:
		return tensor.Float64
	default:
		return tensor.Int
	}
}

// Shape returns the shape of one sample of a fetched node, empty for a single number per sample.
func (o *Outputs) Shape(name string) []int { return slices.Clone(o.field(name).shape) }
