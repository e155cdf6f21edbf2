package graph

import (
	"fmt"
	"slices"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// buffer is memory of which several nodes write parts: the feature maps of a dense block, [batch, channels, height,
// width]. It is allocated on first use.
type buffer[T kernel.Float] struct {
	n, size int // samples, elements of each
	data    []T
}

func (b *buffer[T]) elements() []T {
	if b.data == nil {
		b.data = make([]T, b.n*b.size)
	}
	return b.data
}

// planes is the value of a node that lies inside a buffer: some channels of each sample. Only goline's own operations
// can read it. Stock operations, which would misread a view of a tensor, get a copy by copyTo.
type planes[T kernel.Float] struct {
	in     *buffer[T]
	offset int          // elements before the first channel
	shape  tensor.Shape // [batch, channels, height, width]
}

func (p *planes[T]) array() array[T] {
	return array[T]{p.in.elements()[p.offset:], p.shape[0], p.in.size, p.shape[1:].TotalSize()}
}

// copyTo copies the elements into a contiguous tensor, a new one where dense is nil.
func (p *planes[T]) copyTo(dense G.Value) (G.Value, error) {
	d, ok := dense.(*tensor.Dense)
	if !ok || !slices.Equal(d.Shape(), p.shape) || d.RequiresIterator() {
		d = newDense(floatDtype[T](), p.shape)
	}
	dst, err := arrayOf[T](d)
	if err != nil {
		return nil, err
	}
	src := p.array()
	for i := range src.n {
		copy(dst.sample(i), src.sample(i))
	}
	return d, nil
}

func (p *planes[T]) Shape() tensor.Shape { return p.shape }
func (p *planes[T]) Size() int           { return p.shape.TotalSize() }
func (p *planes[T]) Data() any           { return p.in.elements()[p.offset:] }
func (p *planes[T]) Dtype() tensor.Dtype { return floatDtype[T]() }
func (p *planes[T]) MemSize() uintptr    { return uintptr(p.Size()) * unsafe.Sizeof(*new(T)) }

func (p *planes[T]) Uintptr() uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(p.in.elements()[p.offset:])))
}

func (p *planes[T]) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "channels of a shared buffer, shape %v, %d elements a sample", p.shape, p.in.size)
}
