package graph

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"gorgonia.org/tensor"
)

// Program is a model compiled for running. It is safe for concurrent use; runs share its replicas.
type Program struct {
	model    Model
	options  Options
	replicas []*replica
	free     chan *replica
	card     *accelerator // nil on the processor
	busy     atomic.Int32 // replicas that run
}

// Compile builds the model's graph once per replica and compiles it for the nodes to be fetched. The parameters must be
// loaded before: the program keeps their present values, and later changes affect only programs that are compiled after
// them. Only one graph is built at a time in a process, because Gorgonia keeps global registries.
func Compile(m Model, o Options) (*Program, error) {
	if m == nil {
		return nil, errors.New("graph: expected a model, got nil")
	}
	o, err := o.withDefaults(m)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	p := &Program{model: m, options: o, free: make(chan *replica, o.Workers)}
	if p.card, err = openAccelerator(o.Device); err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	if err := p.card.serve(o.Precision); err != nil {
		_ = p.card.close()
		return nil, fmt.Errorf("graph: %w", err)
	}
	if p.card != nil { // frees the memory on the card of a program that is garbage without having been closed
		runtime.AddCleanup(p, func(c *accelerator) { _ = c.close() }, p.card)
	}
	shared := newStore()
	for range o.Workers {
		r, err := newReplica(m, o, shared, p.card)
		if err != nil {
			_ = p.card.close()
			return nil, fmt.Errorf("graph: %w", err)
		}
		r.busy = &p.busy
		p.replicas = append(p.replicas, r)
		p.free <- r
	}
	return p, nil
}

// Close frees what the program holds on a card; a program on the processor holds nothing that must be freed. The
// program must not be running, and must not run again. A program that nobody closes is closed when it is garbage
// collected.
func (p *Program) Close() error {
	if err := p.card.close(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	return nil
}

// Model returns the model that the program was compiled from.
func (p *Program) Model() Model { return p.model }

// Options returns the options that the program was compiled with, defaults filled in.
func (p *Program) Options() Options { return p.options }

// InputShape returns the shape of one sample that the program takes.
func (p *Program) InputShape() []int { return p.replicas[0].b.input.Shape()[1:] }

// DOT writes the graph of the nodes that the program computes in Graphviz' language, inputs at the top.
func (p *Program) DOT(w io.Writer) error {
	r := p.replicas[0]
	names := make([]string, len(r.fetches))
	for i, f := range r.fetches {
		names[i] = f.name
	}
	return writeDOT(w, r.nodes, names, r.b.isBatchInput)
}

func (p *Program) checkBatch(batch Batch) error {
	if batch.N < 1 {
		return fmt.Errorf("expected at least 1 sample, got %d", batch.N)
	}
	b := p.replicas[0].b
	shape := p.InputShape()
	switch {
	case b.shareds[b.input] != nil && !holds(batch.X, 1, shape):
		return fmt.Errorf("expected %d values of shape %v, which %d samples share, got %d",
			tensor.Shape(shape).TotalSize(), shape, batch.N, len(batch.X))
	case b.shareds[b.input] == nil && !holds(batch.X, batch.N, shape):
		return fmt.Errorf("expected %d values of shape %v for each of %d samples, got %d",
			tensor.Shape(shape).TotalSize(), shape, batch.N, len(batch.X))
	}
	if l := len(batch.Labels); l != 0 && l != batch.N {
		return fmt.Errorf("expected a label for each of %d samples, got %d", batch.N, l)
	}
	for name, node := range b.extra {
		x := batch.Inputs[name]
		if b.shareds[node] != nil {
			if shape := node.Shape(); !holds(x, 1, shape) {
				return fmt.Errorf("input %q: expected %d values of shape %v, which %d samples share, got %d", name,
					shape.TotalSize(), []int(shape), batch.N, len(x))
			}
			continue
		}
		if shape := []int(node.Shape()[1:]); !holds(x, batch.N, shape) {
			return fmt.Errorf("input %q: expected %d values of shape %v for each of %d samples, got %d", name,
				tensor.Shape(shape).TotalSize(), shape, batch.N, len(x))
		}
	}
	for name, node := range b.bits {
		if got, per := len(batch.Bits[name]), node.Shape()[1]; got%batch.N != 0 || got/batch.N != per {
			return fmt.Errorf("input %q: expected %d words of bits for each of %d samples, got %d", name, per, batch.N,
				got)
		}
	}
	return nil
}

// holds tells whether x has the elements of n samples of a shape. The test does not overflow for any n.
func holds(x []float32, n int, shape tensor.Shape) bool {
	return len(x)%n == 0 && len(x)/n == shape.TotalSize()
}
