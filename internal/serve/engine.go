package serve

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// job is one image in the queue.
type job struct {
	ctx   context.Context
	x     []float32 // network input
	index int       // position of the image in its request
	// neurons is the number of important neurons that the request asks for.
	neurons int
	since   time.Time
	done    chan<- outcome // has room for this outcome
}

// outcome is the result of a job.
type outcome struct {
	index  int
	answer Answer
	err    error
}

// room counts the images that wait or run, in all models together.
type room struct {
	most  int64
	taken atomic.Int64
}

// take reserves places for n images: all of them, or none if it returns false.
func (r *room) take(n int) bool {
	if r.taken.Add(int64(n)) > r.most {
		r.taken.Add(-int64(n))
		return false
	}
	return true
}

func (r *room) free(n int) { r.taken.Add(-int64(n)) }

// full tells whether there is no place for another image.
func (r *room) full() bool { return r.taken.Load() >= r.most }

// engine runs jobs in batches.
type engine struct {
	queue   chan job // as long as room allows, so that sending never blocks
	room    *room
	most    int // the most images in a batch
	delay   time.Duration
	compute func(ctx context.Context, batch []job) ([]Answer, error)
	metrics *metrics
	group   sync.WaitGroup
}

// start starts the runners, each of which runs batches until the queue is closed.
func (e *engine) start(runners int) {
	for range runners {
		e.group.Go(func() {
			for first := range e.queue {
				e.run(e.gather(first))
			}
		})
	}
}

// close ends the runners after the jobs in the queue. No job may be queued afterwards.
func (e *engine) close() {
	close(e.queue)
	e.group.Wait()
}

// gather returns a batch: the first job with the jobs that wait behind it, or come within the delay.
func (e *engine) gather(first job) []job {
	batch := append(make([]job, 0, e.most), first)
	var timeout <-chan time.Time
	if e.delay > 0 {
		t := time.NewTimer(e.delay - time.Since(first.since))
		defer t.Stop()
		timeout = t.C
	}
	for len(batch) < e.most {
		select {
		case j, ok := <-e.queue:
			if !ok {
				return batch
			}
			batch = append(batch, j)
			continue
		default:
		}
		if timeout == nil {
			return batch
		}
		select {
		case j, ok := <-e.queue:
			if !ok {
				return batch
			}
			batch = append(batch, j)
		case <-timeout:
			return batch
		}
	}
	return batch
}

// run computes and answers those jobs of a batch whose requests still wait.
func (e *engine) run(batch []job) {
	live := batch[:0]
	for _, j := range batch {
		if j.ctx.Err() != nil {
			e.finish(j, Answer{}, j.ctx.Err())
			continue
		}
		e.metrics.waited.Observe(time.Since(j.since).Seconds())
		live = append(live, j)
	}
	if len(live) == 0 {
		return
	}
	e.metrics.batch.Observe(float64(len(live)))
	start := time.Now()
	answers, err := e.guarded(live)
	e.metrics.ran.Observe(time.Since(start).Seconds())
	switch {
	case err == nil:
		for i, j := range live {
			e.finish(j, answers[i], nil)
		}
	case len(live) == 1:
		e.finish(live[0], Answer{}, err)
	default: // a failing image must not fail the others of its batch
		for _, j := range live {
			if answers, err = e.guarded([]job{j}); err != nil {
				e.finish(j, Answer{}, err)
			} else {
				e.finish(j, answers[0], nil)
			}
		}
	}
}

// guarded computes a batch and returns a panic as an error. The end of one request does not cancel the batch.
func (e *engine) guarded(batch []job) (answers []Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("internal error: %v\n%s", r, debug.Stack())
		}
	}()
	return e.compute(context.Background(), batch)
}

func (e *engine) finish(j job, a Answer, err error) {
	e.room.free(1)
	j.done <- outcome{index: j.index, answer: a, err: err}
}

// answer queues images, for which places are reserved, and returns their answers in order. If ctx ends first, images
// that still wait are dropped when their turn comes, and only then are their places free.
func (e *engine) answer(ctx context.Context, images [][]float32, neurons int) ([]Answer, error) {
	done := make(chan outcome, len(images))
	now := time.Now()
	for i, x := range images {
		e.queue <- job{ctx: ctx, x: x, index: i, neurons: neurons, since: now, done: done}
	}
	out := make([]Answer, len(images))
	for range images {
		select {
		case o := <-done:
			if o.err != nil {
				return nil, o.err
			}
			out[o.index] = o.answer
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return out, nil
}
