package graph

import (
	"fmt"
	"slices"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// sharedInput is an input with one value for all samples of a batch. Operations read it in the batch's own memory. It
// is copied only where the program computes in float64, or where a stock operation of Gorgonia, which might write to
// its inputs, reads it.
type sharedInput struct {
	node  *G.Node
	bound []float32     // the memory that holds the node's value
	own   *tensor.Dense // memory for the copy, where the value is copied
}

// SharedInput adds an input of exactly the given shape that all samples of a batch share, for example the background
// rows of a Shapley game. Each batch holds one value for it in its [Batch].Inputs of that name. Samples may be read
// from it with [Mix] or [MixRows].
//
// In float32 the value is not copied: the program keeps a reference to the batch's slice, without reading it, until
// another batch brings another slice.
func (b *Builder) SharedInput(name string, shape ...int) *G.Node {
	if b.err != nil {
		return nil
	}
	if b.bits[name] != nil {
		b.fail(fmt.Errorf("input %q is one of bits, not of numbers", name))
		return nil
	}
	if n, ok := b.extra[name]; ok {
		if b.shareds[n] == nil {
			b.fail(fmt.Errorf("input %q is one for each sample, not shared by them", name))
			return nil
		}
		return b.check(n, wantShape("shared input", name, n, shape...))
	}
	n := b.sharedNode("input:"+name, shape...)
	if n != nil {
		b.extra[name] = n
	}
	return n
}

func (b *Builder) sharedNode(name string, shape ...int) *G.Node {
	if len(shape) == 0 {
		b.fail(fmt.Errorf("%s: expected a shared input of at least one axis, got none", name))
		return nil
	}
	if _, err := elements(shape); err != nil {
		b.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	n := b.newNode(name, b.dtype, slices.Clone(shape))
	b.shareds[n] = &sharedInput{node: n}
	return n
}

// settle decides which shared inputs need memory of their own, given all operations that run.
func (b *Builder) settle(order G.Nodes) error {
	for n, s := range b.shareds {
		stock := slices.ContainsFunc(order, func(reader *G.Node) bool {
			_, own := reader.Op().(*op)
			return reader.Op() != nil && !own && slices.Contains(children(reader), n)
		})
		if !stock && b.dtype == tensor.Float32 {
			continue
		}
		s.own = newDense(b.dtype, n.Shape())
		if err := G.Let(n, s.own); err != nil {
			return fmt.Errorf("%s: %w", n.Name(), err)
		}
	}
	return nil
}

// take makes src, which has as many elements as the node, the node's value.
func (s *sharedInput) take(src []float32) error {
	if s.own != nil {
		fill(s.node, src, 1, 0, 1)
		return nil
	}
	if len(s.bound) == len(src) && unsafe.SliceData(s.bound) == unsafe.SliceData(src) {
		return nil
	}
	s.bound = src
	if err := G.Let(s.node, tensor.New(tensor.WithShape(s.node.Shape()...), tensor.WithBacking(src))); err != nil {
		return fmt.Errorf("%s: %w", s.node.Name(), err)
	}
	return nil
}
