package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// FLOPs returns the number of floating-point operations for one sample in the program's convolutions, matrix products
// and fully connected layers. A multiplication and an addition count as two; all else is left out, as is usual. For
// DenseNet-BC-100-12 features it is 0.52 billion: the published 0.58, less what the transitions save by pooling first.
func (p *Program) FLOPs() int {
	total := 0
	for _, n := range ancestry(p.replicas[0].nodes) {
		total += flops(n)
	}
	return total / p.options.Batch
}

// flops counts the floating-point operations of one node for a whole batch.
func flops(n *G.Node) int {
	o, ok := n.Op().(*op)
	if !ok {
		return 0
	}
	if c, ok := o.fn.(interface{ flops() int }); ok {
		return o.shape[0] * c.flops()
	}
	if c, ok := o.fn.(interface{ batchFLOPs() int }); ok {
		return c.batchFLOPs()
	}
	switch o.name {
	case "Linear", "RoutedLinear":
		return 2 * o.shape.TotalSize() * o.in[1].Shape()[1]
	case "Linear'x", "RoutedLinear'z":
		return 2 * o.shape.TotalSize() * o.in[1].Shape()[0]
	case "Linear'w":
		return 2 * o.in[1].Shape().TotalSize() * o.shape[0]
	}
	return 0
}

// Rates and overheads with which [Program.EstimatedSeconds] calculates: those of one AVX-512 core on feature maps in
// its caches, rounded. They are constants, so that the same program always has the same estimate.
const (
	workFLOPs    = 1.4e11 // floating-point operations per second in convolutions and fully connected layers
	workBytes    = 4e10   // bytes per second that operations read or write
	workDispatch = 2e-6   // seconds of the tape machine for one operation, whatever it does
	workRun      = 5e-5   // fixed seconds of one run
	workBatch    = 16     // samples over which dispatch and run are spread, whatever the program's own batch size
)

// EstimatedSeconds estimates the time in seconds that a worker needs for one sample. It counts, for every operation,
// the floating-point operations, the bytes of activations that are read and written (none where a [DenseBlock] joins
// its members), and a share of the fixed time that Gorgonia's machine needs for each operation and each run. Nothing is
// measured and the batch size has no influence, so equal models have equal estimates on every machine. The ratio of two
// programs' estimates tells how much more one of them costs, even where there are few convolutions; the seconds
// themselves are those of a machine with 140 GFLOP/s per core.
func (p *Program) EstimatedSeconds() float64 {
	r := p.replicas[0]
	operations, work, elements := 0, 0, 0
	for _, n := range ancestry(r.nodes) {
		if n.Op() == nil { // an input
			continue
		}
		operations++
		if o, ok := n.Op().(*op); ok && o.name == concatInPlace {
			continue
		}
		work += flops(n)
		elements += n.Shape().TotalSize()
		for _, in := range children(n) {
			// Weights, masks and what a batch shares stay in the cache and are not counted.
			if in.Op() != nil || in == r.b.input && r.b.shareds[in] == nil {
				elements += in.Shape().TotalSize()
			}
		}
	}
	// Whole numbers per sample, so that the batch size does not change even the last bit.
	work, elements = work/p.options.Batch, elements/p.options.Batch
	return float64(work)/workFLOPs + 4*float64(elements)/workBytes +
		(workRun+workDispatch*float64(operations))/workBatch
}

func (f *convFn[T]) flops() int   { return f.geom.FLOPs() }
func (f *convDXFn[T]) flops() int { return f.geom.FLOPs() }

// Shape returns the shape of one sample of a fetched node, empty for a single number per sample. It panics if the node
// is not fetched.
func (p *Program) Shape(name string) []int {
	for _, f := range p.replicas[0].fetches {
		if f.name == name {
			return slices.Clone(f.shape)
		}
	}
	panic(fmt.Sprintf("graph: %q is not fetched", name))
}
