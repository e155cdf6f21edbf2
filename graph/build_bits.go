package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// bitWords returns how many words hold n bits.
func bitWords(n int) int { return (n + 63) / 64 }

// BitInput adds an input of n bits per sample, for example which neurons are in a coalition. Each batch fills it from
// its [Batch].Bits of that name. The node is [batch, words] of uint64: bit i of a sample is bit i%64 of its word i/64.
func (b *Builder) BitInput(name string, n int) *G.Node {
	if b.err != nil {
		return nil
	}
	if n < 1 {
		b.fail(fmt.Errorf("input %q: expected at least 1 bit, got %d", name, n))
		return nil
	}
	if b.extra[name] != nil {
		b.fail(fmt.Errorf("input %q is one of numbers, not of bits", name))
		return nil
	}
	if node, ok := b.bits[name]; ok {
		return b.check(node, wantShape("input", name, node, b.batch, bitWords(n)))
	}
	node := b.inputNode("input:"+name, tensor.Uint64, bitWords(n))
	if node != nil {
		b.bits[name] = node
	}
	return node
}

// MixBits is [Mix] with every element of a sample as a group of its own, and with the coalitions given by bits [batch,
// words], laid out as by [Builder.BitInput]. An element of the result comes from present where its bit is set, and from
// removed elsewhere; no masks are built and nothing is computed. present and removed are [batch, ...], or [1, ...] for
// values that all samples share. No input has a gradient.
func MixBits(bits, present, removed *G.Node) (*G.Node, error) {
	m, err := newBitMixing("MixBits", bits, present, removed)
	if err != nil {
		return nil, err
	}
	if err := m.wantSamples("removed", removed); err != nil {
		return nil, err
	}
	return m.bitNode(present, removed, bits)
}

// MixRowsBits is [MixBits] where each sample takes its removed values from one of several rows, as in [MixRows].
func MixRowsBits(bits, present, rows, row *G.Node) (*G.Node, error) {
	m, err := newBitMixing("MixRowsBits", bits, present, rows)
	if err != nil {
		return nil, err
	}
	if err := wantShape(m.name, "row", row, m.batch); err != nil {
		return nil, err
	}
	m.byRow = true
	return m.bitNode(present, rows, row, bits)
}

func newBitMixing(name string, bits, present, removed *G.Node) (*mixing, error) {
	if err := wantDims(name, 2, bits); err != nil {
		return nil, err
	}
	if bits.Dtype() != tensor.Uint64 {
		return nil, fmt.Errorf("%s: bits (%s): expected uint64, got %v", name, bits.Name(), bits.Dtype())
	}
	if err := wantBatched(name+": present activations", 1, present); err != nil {
		return nil, err
	}
	if err := wantBatched(name+": removed activations", 1, removed); err != nil {
		return nil, err
	}
	batch := bits.Shape()[0]
	m := &mixing{name: name, batch: batch, shape: append([]int{batch}, present.Shape()[1:]...)}
	if err := m.wantSamples("present", present); err != nil {
		return nil, err
	}
	if got, want := removed.Shape()[1:], m.shape[1:]; !sameShape(got, want) {
		return nil, fmt.Errorf("%s: removed activations (%s): expected shape %v for a sample, got %v", name,
			removed.Name(), want, []int(got))
	}
	size := present.Shape()[1:].TotalSize()
	return m, wantShape(name, "bits", bits, batch, bitWords(size))
}

// bitNode adds the operation to the graph. The bits are the last input.
func (m *mixing) bitNode(in ...*G.Node) (*G.Node, error) {
	return m.bitsCard()(newFloatOp(m.name, m.shape, in, len(in)-1, nil, nil, mixBitsRun[float32](m),
		mixBitsRun[float64](m)))
}

func mixBitsRun[T kernel.Float](m *mixing) func(*call[T]) error {
	return func(c *call[T]) error {
		words, err := sliceOf[uint64](c.raw[len(c.raw)-1])
		if err != nil {
			return err
		}
		per := len(words) / c.out.n
		for i := range c.out.n {
			present, removed, err := mixSample(m, c.in, i)
			if err != nil {
				return err
			}
			kernel.Select(c.out.sample(i), present, removed, words[i*per:][:per])
		}
		return nil
	}
}
