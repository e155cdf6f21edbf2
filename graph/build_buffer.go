package graph

import "fmt"

// Buffer declares a tensor of the state dict that no layer computes with, for example an index that follows from the
// sizes alone. With it, weight files that hold the tensor can be loaded, and files that are written hold it. Outside of
// [Declare] the call only checks that the model has a tensor of that name and shape.
func (b *Builder) Buffer(name string, shape ...int) {
	if b.err != nil {
		return
	}
	if b.declared != nil {
		b.declare(ParamSpec{Name: name, Shape: shape, Buffer: true})
		return
	}
	if p := b.params[name]; p == nil || !sameShape(p.Shape(), shape) {
		b.fail(fmt.Errorf("model has no buffer %q of shape %v", name, shape))
	}
}
