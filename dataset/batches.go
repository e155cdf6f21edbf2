package dataset

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// BatchOptions says how to cut a set into batches. The zero value takes all images in order.
type BatchOptions struct {
	// Size is the number of images in a batch; the last batch may have fewer. 0 means 32.
	Size int
	// Workers is the number of goroutines that decode. 0 means GOMAXPROCS. It has no influence on the result.
	Workers int
	// Indices are the images to take, in this order; nil means all. It must not be changed while the stream is read.
	Indices []int
}

const defaultBatch = 32

// Batches returns the images of d, preprocessed, as a stream of batches X [batch, 3, height, width].
//
// Images are decoded ahead in parallel; the batches come in order and are the same bits for any number of workers.
// Without p.Crop all images must come out in the same size. An image that fails ends the stream with its error, after
// the batches in front of it; so does ctx with ctx.Err(). The stream can be read again from the start.
//
// Memory: a few batches are under way at a time, however long the set is. A batch's memory is used again after its
// Release; what is never released is left to the garbage collector. When the loop over the stream ends, all goroutines
// have ended too, each after the image that it was at.
func Batches(ctx context.Context, d Dataset, p nets.Preprocessing, o BatchOptions) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		s, err := newStream(ctx, d, p, o)
		if err != nil {
			yield(graph.Batch{}, err)
			return
		}
		s.run(ctx, yield)
	}
}

// stream is one pass over a set.
type stream struct {
	d       Dataset
	q       *Preprocessor // its settings; workers have their own
	indices []int         // nil for all
	total   int
	labels  []int
	size    int // images per batch
	height  int // of the network input
	width   int
	sample  int // values per image
	workers int
	ahead   int          // batches under way
	free    chan *memory // released memory
}

// memory is what one batch is made of.
type memory struct {
	x      []float32
	labels []int
}

// slot is a batch under way.
type slot struct {
	*memory
	first   int          // position of its first image in the stream
	n       int          // images
	pending atomic.Int64 // images that are not yet there
	done    chan struct{}

	mu     sync.Mutex
	failed int // position of the first failed image, if err is set
	err    error
}

// job is one image of a batch.
type job struct {
	*slot
	k int // position in the batch
}

func newStream(ctx context.Context, d Dataset, p nets.Preprocessing, o BatchOptions) (*stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &stream{d: d, indices: o.Indices, total: d.Len(), labels: d.Labels(), size: o.Size, workers: o.Workers}
	if s.size == 0 {
		s.size = defaultBatch
	}
	if s.workers == 0 {
		s.workers = runtime.GOMAXPROCS(0)
	}
	if s.size < 0 || s.workers < 0 {
		return nil, fmt.Errorf("batches of %s: size %d and %d workers, want 0 (default) or more", d.Name(), o.Size, o.Workers)
	}
	if o.Indices != nil {
		s.total = len(o.Indices)
		for _, i := range o.Indices {
			if err := checkIndex(d, i); err != nil {
				return nil, fmt.Errorf("batches of %w", err)
			}
		}
	}
	if s.total == 0 {
		return nil, fmt.Errorf("batches of %s: %w", d.Name(), errEmpty)
	}
	if s.labels != nil && len(s.labels) != d.Len() {
		return nil, fmt.Errorf("batches of %s: %d labels for %d images", d.Name(), len(s.labels), d.Len())
	}
	var err error
	if s.q, err = NewPreprocessor(p); err != nil {
		return nil, err
	}
	s.height, s.width = p.Crop, p.Crop
	if p.Crop == 0 { // the first image decides
		img, err := s.image(0, new([]uint8))
		if err != nil {
			return nil, err
		}
		if s.height, s.width, err = s.q.Size(img.Height, img.Width); err != nil {
			return nil, s.blame(0, err)
		}
	}
	s.sample = 3 * s.height * s.width
	s.size = min(s.size, s.total)
	s.workers = min(s.workers, s.total)
	s.ahead = 2 + s.workers/s.size
	s.free = make(chan *memory, s.ahead+2)
	return s, nil
}

// index returns the index in the set of the image at a position of the stream.
func (s *stream) index(pos int) int {
	if s.indices == nil {
		return pos
	}
	return s.indices[pos]
}

// image decodes the image at a position of the stream.
func (s *stream) image(pos int, buf *[]uint8) (img Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.blame(pos, fmt.Errorf("reading failed: %v", r))
		}
	}()
	return imageInto(s.d, s.index(pos), buf)
}

// blame names the image that an error is about.
func (s *stream) blame(pos int, err error) error {
	return fmt.Errorf("%s: image %s: %w", s.d.Name(), s.d.ID(s.index(pos)), err)
}

// run feeds the workers and yields what they make.
func (s *stream) run(ctx context.Context, yield func(graph.Batch, error) bool) {
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	jobs, slots := make(chan job, s.workers), make(chan *slot, s.ahead)
	for range s.workers {
		wg.Go(func() { s.work(inner, jobs) })
	}
	wg.Go(func() { s.dispatch(inner, jobs, slots) })
	for b := range slots {
		select {
		case <-b.done:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			yield(graph.Batch{}, err)
			return
		}
		if b.err != nil {
			yield(graph.Batch{}, b.err)
			return
		}
		m := b.memory
		out := graph.Batch{X: m.x[:b.n*s.sample], N: b.n, Release: sync.OnceFunc(func() { s.recycle(m) })}
		if s.labels != nil {
			out.Labels = m.labels[:b.n]
		}
		if !yield(out, nil) {
			return
		}
	}
	if err := ctx.Err(); err != nil { // the dispatcher gave up before the end
		yield(graph.Batch{}, err)
	}
}

// dispatch cuts the stream into batches and hands their images to the workers. The capacity of slots bounds how far it
// runs ahead.
func (s *stream) dispatch(ctx context.Context, jobs chan<- job, slots chan<- *slot) {
	defer close(slots)
	defer close(jobs)
	for first := 0; first < s.total; first += s.size {
		b := &slot{first: first, n: min(s.size, s.total-first), done: make(chan struct{})}
		b.memory = s.allocate()
		b.pending.Store(int64(b.n))
		select {
		case slots <- b:
		case <-ctx.Done():
			return
		}
		for k := range b.n {
			select {
			case jobs <- job{b, k}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// work decodes images until there are no more.
func (s *stream) work(ctx context.Context, jobs <-chan job) {
	q := &Preprocessor{p: s.q.p, table: s.q.table}
	var buf []uint8
	for j := range jobs {
		if ctx.Err() != nil {
			return
		}
		pos := j.first + j.k
		if err := s.fill(q, j.x[j.k*s.sample:(j.k+1)*s.sample], pos, &buf); err != nil {
			j.fail(pos, err)
		}
		if s.labels != nil {
			j.labels[j.k] = s.labels[s.index(pos)]
		}
		if j.pending.Add(-1) == 0 {
			close(j.done)
		}
	}
}

// fill decodes and preprocesses the image at a position of the stream.
func (s *stream) fill(q *Preprocessor, dst []float32, pos int, buf *[]uint8) error {
	img, err := s.image(pos, buf)
	if err != nil {
		return err
	}
	height, width, err := q.Size(img.Height, img.Width)
	if err == nil && (height != s.height || width != s.width) {
		err = fmt.Errorf("preprocessing makes it %dx%d (height x width), but the first image %dx%d; set a crop to make them equal",
			height, width, s.height, s.width)
	}
	if err == nil {
		err = q.Apply(dst, img)
	}
	if err != nil {
		return s.blame(pos, err)
	}
	return nil
}

// fail keeps the error of the batch's first failed image.
func (b *slot) fail(pos int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || pos < b.failed {
		b.failed, b.err = pos, err
	}
}

// allocate takes released memory, or new.
func (s *stream) allocate() *memory {
	select {
	case m := <-s.free:
		return m
	default:
	}
	m := &memory{x: make([]float32, s.size*s.sample)}
	if s.labels != nil {
		m.labels = make([]int, s.size)
	}
	return m
}

// recycle keeps released memory for later batches.
func (s *stream) recycle(m *memory) {
	select {
	case s.free <- m:
	default:
	}
}
