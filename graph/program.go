package graph

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"gorgonia.org/tensor"
)

// Program is a model compiled for running. It is safe for concurrent use; runs share its replicas.
type Program struct {
	model    Model
	options  Options
	replicas []*replica
	free     chan *replica
}

// Compile builds the model's graph once per replica and compiles it for what is to be fetched. The parameters must be
// loaded before: batch norm is folded and weights are packed from the values they have then, and later changes show only in
// a program compiled after them.
func Compile(m Model, o Options) (*Program, error) {
	o, err := o.withDefaults(m)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	p := &Program{model: m, options: o, free: make(chan *replica, o.Replicas)}
	shared := newStore()
	for range o.Replicas {
		r, err := newReplica(m, o, shared)
		if err != nil {
			return nil, fmt.Errorf("graph: %w", err)
		}
		p.replicas = append(p.replicas, r)
		p.free <- r
	}
	return p, nil
}

// Model returns what the program was compiled from.
func (p *Program) Model() Model { return p.model }

// Options returns how the program was compiled, with defaults filled in.
func (p *Program) Options() Options { return p.options }

// InputShape returns the shape of one sample that the program takes.
func (p *Program) InputShape() []int { return p.replicas[0].b.input.Shape()[1:] }

// DOT writes the expression graph of what the program computes in Graphviz' language, inputs at the top.
func (p *Program) DOT(w io.Writer) error {
	r := p.replicas[0]
	names := make([]string, len(r.fetches))
	for i, f := range r.fetches {
		names[i] = f.name
	}
	return writeDOT(w, r.nodes, names)
}

// inFlight is a batch on its way through the replicas.
type inFlight struct {
	batch Batch
	out   Outputs
	index int
	todo  sync.WaitGroup
	mu    sync.Mutex
	err   error
}

func (f *inFlight) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// chunk is the part of a batch that one replica runs at once.
type chunk struct {
	*inFlight
	lo, hi int
}

// Run feeds batches of any size to the program and yields what it fetches, batch by batch in order. Memory is bounded by a
// few batches, whatever their number. An error of the stream, of a batch (its index is named) or of ctx is yielded as the last
// element; ctx is honoured between the parts of a batch. Batches are read ahead on another goroutine.
func (p *Program) Run(ctx context.Context, batches Batches) iter.Seq2[*Outputs, error] {
	return func(yield func(*Outputs, error) bool) {
		outer := ctx
		ctx, cancel := context.WithCancel(ctx)
		var group errgroup.Group // an error of the stream must not cancel the batches before it
		const ahead = 3
		chunks := make(chan chunk)
		order := make(chan *inFlight, ahead)
		spare := make(chan *inFlight, ahead+2)
		group.Go(func() error {
			defer close(chunks)
			defer close(order)
			return p.feed(ctx, batches, spare, order, chunks)
		})
		for range p.options.Replicas {
			group.Go(func() error {
				for c := range chunks {
					p.runChunk(ctx, c)
				}
				return nil
			})
		}
		stopped := false
		var failure error
		for f := range order {
			f.todo.Wait()
			if f.batch.Release != nil {
				f.batch.Release()
			}
			if f.err != nil {
				failure = fmt.Errorf("batch %d: %w", f.index, f.err)
				break
			}
			if !yield(&f.out, nil) {
				stopped = true
				break
			}
			select {
			case spare <- f:
			default:
			}
		}
		cancel()
		for range order { // let the feeder go on to its end
		}
		err := group.Wait()
		switch {
		case stopped:
		case outer.Err() != nil:
			yield(nil, outer.Err())
		case failure != nil:
			yield(nil, failure)
		case err != nil:
			yield(nil, err)
		}
	}
}

// feed reads the stream and hands out its batches in parts.
func (p *Program) feed(ctx context.Context, batches Batches, spare, order chan *inFlight, chunks chan<- chunk) error {
	index := 0
	for batch, err := range batches {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.checkBatch(batch); err != nil {
			return fmt.Errorf("batch %d: %w", index, err)
		}
		var f *inFlight
		select {
		case f = <-spare:
		default:
			f = p.newInFlight()
		}
		p.prepare(f, batch, index)
		index++
		size := p.options.Batch
		f.todo.Add((batch.N + size - 1) / size)
		select {
		case order <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
		for lo := 0; lo < batch.N; lo += size {
			select {
			case chunks <- chunk{f, lo, min(lo+size, batch.N)}:
			case <-ctx.Done():
				f.fail(ctx.Err())
				for ; lo < batch.N; lo += size {
					f.todo.Done()
				}
				return ctx.Err()
			}
		}
	}
	return nil
}

func (p *Program) runChunk(ctx context.Context, c chunk) {
	defer c.todo.Done()
	if err := ctx.Err(); err != nil {
		c.fail(err)
		return
	}
	r := <-p.free
	defer func() { p.free <- r }()
	if err := r.run(c.batch, c.lo, c.hi, &c.out); err != nil {
		c.fail(err)
	}
}

func (p *Program) newInFlight() *inFlight {
	f := &inFlight{out: Outputs{fields: map[string]*field{}}}
	for _, x := range p.replicas[0].fetches {
		f.out.fields[x.name] = newField(x.dtype, x.shape)
	}
	return f
}

func (p *Program) prepare(f *inFlight, batch Batch, index int) {
	f.batch, f.index, f.err = batch, index, nil
	f.out.N = batch.N
	f.out.Labels = slices.Grow(f.out.Labels[:0], batch.N)[:batch.N]
	if copy(f.out.Labels, batch.Labels) == 0 {
		for i := range f.out.Labels {
			f.out.Labels[i] = -1
		}
	}
	for _, x := range f.out.fields {
		x.resize(batch.N)
	}
}

func (p *Program) checkBatch(batch Batch) error {
	shape := p.InputShape()
	if batch.N < 1 {
		return fmt.Errorf("%d samples, expected at least 1", batch.N)
	}
	if size := tensor.Shape(shape).TotalSize(); len(batch.X) != batch.N*size {
		return fmt.Errorf("%d samples hold %d values, expected %d of shape %v each", batch.N, len(batch.X), size, shape)
	}
	if l := len(batch.Labels); l != 0 && l != batch.N {
		return fmt.Errorf("%d labels for %d samples", l, batch.N)
	}
	for name, node := range p.replicas[0].b.extra {
		size := node.Shape()[1:].TotalSize()
		if got := len(batch.Inputs[name]); got != batch.N*size {
			return fmt.Errorf("input %q of %d samples holds %d values, expected %d each", name, batch.N, got, size)
		}
	}
	return nil
}
