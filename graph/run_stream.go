package graph

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/internal/invariant"
)

// Run feeds batches of any size to the program and yields the fetched values, batch by batch in order. Memory is
// bounded by a few batches, whatever their number. An error of the stream, of a batch (the error names its index) or of
// ctx is yielded as the last element, with nil outputs. A cancelled ctx takes effect between the parts of a batch.
//
// Batches are read ahead on another goroutine. When the loop over Run ends, however it does, no goroutine is left and
// each batch that was read has been released. Run waits until the stream gives its next batch or ends, so a stream that
// may block must heed ctx itself.
func (p *Program) Run(ctx context.Context, batches Batches) iter.Seq2[*Outputs, error] {
	return func(yield func(*Outputs, error) bool) {
		r := p.start(ctx, batches)
		defer r.stop() // runs even if the loop's body panics
		for f := range r.order {
			if err := f.wait(); err != nil {
				r.stop()
				if ctx.Err() != nil {
					err = ctx.Err()
				} else {
					err = fmt.Errorf("batch %d: %w", f.index, err)
				}
				yield(nil, err)
				return
			}
			if !yield(&f.out, nil) {
				return
			}
			f.out.poison()
			select {
			case r.spare <- f:
			default:
			}
		}
		err := r.stop()
		if ctx.Err() != nil {
			err = ctx.Err() // even where the stream has ended: it may have ended because of ctx
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// running is one pass of a stream through a program.
type running struct {
	p      *Program
	ctx    context.Context
	cancel context.CancelFunc
	group  errgroup.Group // without a context: an error of the stream must not cancel the batches before it
	order  chan *inFlight
	chunks chan chunk
	spare  chan *inFlight
}

// inFlight is a batch on its way through the replicas.
type inFlight struct {
	batch Batch
	out   Outputs
	index int
	sum   uint64 // checksum of the batch's X, to notice when it is changed meanwhile
	todo  sync.WaitGroup
	mu    sync.Mutex
	err   error
}

// chunk is the part of a batch that one replica runs at once.
type chunk struct {
	*inFlight
	lo, hi int
}

func (p *Program) start(ctx context.Context, batches Batches) *running {
	const ahead = 3
	r := &running{p: p, order: make(chan *inFlight, ahead), chunks: make(chan chunk, 4*p.options.Workers),
		spare: make(chan *inFlight, ahead+2)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.group.Go(func() error {
		defer close(r.chunks)
		defer close(r.order)
		return r.feed(batches)
	})
	for range p.options.Workers {
		r.group.Go(func() error {
			for c := range r.chunks {
				r.compute(c)
			}
			return nil
		})
	}
	return r
}

// stop ends all goroutines and returns the stream's error. It may be called again.
func (r *running) stop() error {
	r.cancel()
	for f := range r.order { // lets the goroutine that reads the stream come to its end
		_ = f.wait()
	}
	return r.group.Wait()
}

// wait waits until all parts of the batch are computed, releases the batch and returns its error.
func (f *inFlight) wait() error {
	f.todo.Wait()
	invariant.Check(f.batch.X == nil || f.sum == invariant.Sum(f.batch.X),
		"batch %d was changed while the program held it", f.index)
	f.batch.release()
	f.batch = Batch{}
	return f.err
}

func (b *Batch) release() {
	if b.Release != nil {
		b.Release()
	}
}

func (f *inFlight) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// feed reads the stream and hands its batches to the replicas in parts.
func (r *running) feed(batches Batches) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("stream of batches: panic: %v\n%s", p, debug.Stack())
		}
	}()
	index := 0
	for batch, err := range batches {
		if err != nil {
			return err
		}
		if err := r.ctx.Err(); err != nil {
			batch.release()
			return err
		}
		if err := r.p.checkBatch(batch); err != nil {
			batch.release()
			return fmt.Errorf("batch %d: %w", index, err)
		}
		if err := r.hand(batch, index); err != nil {
			return err
		}
		index++
	}
	return nil
}

// hand divides a batch into chunks and gives them to the replicas.
func (r *running) hand(batch Batch, index int) error {
	var f *inFlight
	select {
	case f = <-r.spare:
	default:
		f = r.p.newInFlight()
	}
	f.take(batch, index)
	size := r.p.options.Batch
	parts := (batch.N-1)/size + 1
	f.todo.Add(parts)
	select {
	case r.order <- f:
	case <-r.ctx.Done():
		batch.release()
		return r.ctx.Err()
	}
	for i := range parts {
		select {
		case r.chunks <- chunk{f, i * size, i*size + min(size, batch.N-i*size)}:
		case <-r.ctx.Done():
			f.fail(r.ctx.Err())
			f.todo.Add(i - parts)
			return r.ctx.Err()
		}
	}
	return nil
}

func (r *running) compute(c chunk) {
	defer c.todo.Done()
	if err := r.ctx.Err(); err != nil {
		c.fail(err)
		return
	}
	machine := <-r.p.free
	defer func() { r.p.free <- machine }()
	if err := machine.run(c.batch, c.lo, c.hi, &c.out); err != nil {
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

// take prepares for a batch and makes room for its outputs.
func (f *inFlight) take(batch Batch, index int) {
	f.batch, f.index, f.err, f.sum = batch, index, nil, invariant.Sum(batch.X)
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
