package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// FLOPs returns the floating-point operations that one sample costs in the program's convolutions and fully connected
// layers, a multiplication and an addition counted as two; everything else is left out, as is usual.
// For DenseNet-BC-100-12 features it is 0.52 billion: as published 0.58, less what the transitions save by pooling first.
func (p *Program) FLOPs() int {
	total := 0
	for _, n := range ancestry(p.replicas[0].nodes) {
		total += flops(n)
	}
	return total / p.options.Batch
}

// flops counts those of one node for a whole batch.
func flops(n *G.Node) int {
	o, ok := n.Op().(*op)
	if !ok {
		return 0
	}
	if c, ok := o.fn.(interface{ flops() int }); ok {
		return o.shape[0] * c.flops()
	}
	switch o.name {
	case "Linear", "RoutedLinear", "Linear'x", "RoutedLinear'z":
		return 2 * o.shape[0] * o.in[1].Shape().TotalSize()
	case "Linear'w":
		return 2 * o.in[1].Shape()[0] * o.shape.TotalSize()
	}
	return 0
}

func (f *convFn[T]) flops() int   { return f.geom.FLOPs() }
func (f *convDXFn[T]) flops() int { return f.geom.FLOPs() }

// Shape returns the shape of one sample of a fetched node: empty where that is a single number. It panics when the node is
// not fetched.
func (p *Program) Shape(name string) []int {
	for _, f := range p.replicas[0].fetches {
		if f.name == name {
			return slices.Clone(f.shape)
		}
	}
	panic(fmt.Sprintf("graph: %q is not fetched", name))
}
