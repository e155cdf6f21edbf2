package dataset

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/invariant"
	"github.com/line-ood/goline/nets"
)

// BatchOptions says how to cut a set or a stream into batches. With the zero value batches hold all images in order.
type BatchOptions struct {
	// Size is the number of images in a batch; the last batch may have fewer. 0 means 32.
	Size int
	// Workers is the number of goroutines that decode. 0 means GOMAXPROCS. It has no influence on the result.
	Workers int
	// Indices are the images of a set to use, in this order; nil means all. The slice must not be changed while the
	// stream is read. For a stream of images it must be nil.
	Indices []int
	// MaxMemory bounds the memory, in bytes, of all pictures that are being decoded at a time: workers wait for each
	// other. A picture that needs more by itself is an error, see [DecodeMemory]. 0 means DecodeMemory.
	MaxMemory int64
}

const defaultBatch = 32

// Batches returns the images of d, preprocessed, as a stream of batches X [batch, 3, height, width].
//
// Images are decoded ahead in parallel. The batches are in order and have the same bits for any number of workers.
// Without p.Crop all images must have the same size after preprocessing. An image that fails ends the stream with its
// error, after the batches before it; when ctx ends, the stream ends with ctx.Err(). The stream can be read again
// from the start.
//
// A few batches are in memory at a time, however long the set is. The memory of a batch is used again after its
// Release; memory that is never released is left to the garbage collector. When the loop over the stream ends, all
// goroutines have ended too, each after the image that it was decoding.
func Batches(ctx context.Context, d Dataset, p nets.Preprocessing, o BatchOptions) graph.Batches {
	return batches(ctx, "batches of "+d.Name(), p, o, func() (feed, int, error) { return setFeed(d, o.Indices) })
}

// setFeed returns a feed of the images of a set with the given indices (nil for all), and their number, -1 for a
// stream.
func setFeed(d Dataset, indices []int) (feed, int, error) {
	if t, hashed := streamOf(d); t != nil {
		if indices != nil {
			return nil, 0, fmt.Errorf("batches of %s: expected no indices of a set that is read once, got %d", d.Name(),
				len(indices))
		}
		return t.feed(hashed), -1, nil
	}
	total, labels := d.Len(), d.Labels()
	if indices != nil {
		total = len(indices)
		for _, i := range indices {
			if err := checkIndex(d, i); err != nil {
				return nil, 0, fmt.Errorf("batches of %w", err)
			}
		}
	}
	if labels != nil && len(labels) != d.Len() {
		return nil, 0, fmt.Errorf("batches of %s: expected %d labels, got %d", d.Name(), d.Len(), len(labels))
	}
	return func(_ context.Context, give func(item) bool) error {
		for i := range total {
			if indices != nil {
				i = indices[i]
			}
			it := item{decodable: member{d, i}, label: -1, labelled: labels != nil}
			if it.labelled {
				it.label = labels[i]
			}
			if !give(it) {
				break
			}
		}
		return nil
	}, total, nil
}

// member identifies an image of a set.
type member struct {
	d Dataset
	i int
}

func (m member) image(s *scratch) (Image, error) { return imageInto(m.d, m.i, s) }
func (m member) blame(err error) error {
	return fmt.Errorf("%s: image %s: %w", m.d.Name(), m.d.ID(m.i), err)
}

// feed calls give for the images of a stream in order until there are no more, or give returns false.
type feed func(ctx context.Context, give func(item) bool) error

// item is an image of a stream with its label.
type item struct {
	decodable
	label    int // -1 where it is unknown
	labelled bool
}

// decodable is an image that has not been decoded yet.
type decodable interface {
	// image decodes the image. The result may lie in s: it may only be read, and only until s is used again.
	image(s *scratch) (Image, error)
	// blame adds the name of the image to an error.
	blame(err error) error
}

// batches makes a stream of batches. Each pass over it calls open, which returns a feed and the number of its images,
// -1 if that is not known.
func batches(ctx context.Context, name string, p nets.Preprocessing, o BatchOptions,
	open func() (feed, int, error)) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		s, err := newStream(ctx, name, p, o, open)
		if err != nil {
			yield(graph.Batch{}, err)
			return
		}
		s.run(ctx, yield)
	}
}

// stream is one pass over a feed.
type stream struct {
	name    string // start of all error messages
	images  feed
	q       *Preprocessor // the settings; each worker has its own preprocessor
	size    int           // images per batch
	height  int           // of the network input; height, width and sample are 0 until the first image has come
	width   int
	sample  int // number of values of an image
	workers int
	ahead   int          // number of batches in progress
	memory  *budget      // for pictures that are being decoded
	free    chan *memory // released memory
}

// memory is the memory of one batch.
type memory struct {
	x      []float32
	labels []int
}

// slot is a batch in progress.
type slot struct {
	*memory
	first    int  // position of its first image in the stream
	n        int  // number of images; n and labelled are final when done is closed
	labelled bool // whether some image has a label
	// number of images that are not finished, plus 1 until it is known that no further image comes
	pending atomic.Int64
	done    chan struct{}

	mu     sync.Mutex
	failed int // position in the stream of the first failed image, if err is set
	err    error
}

// job is one image of a batch.
type job struct {
	*slot
	item
	k int // position in the batch
}

func newStream(ctx context.Context, name string, p nets.Preprocessing, o BatchOptions,
	open func() (feed, int, error)) (*stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &stream{name: name, size: o.Size, workers: o.Workers, memory: newBudget(o.MaxMemory)}
	if s.size == 0 {
		s.size = defaultBatch
	}
	if s.workers == 0 {
		s.workers = runtime.GOMAXPROCS(0)
	}
	if s.size < 0 || s.workers < 0 {
		return nil, fmt.Errorf("%s: expected a size and workers of 0 (default) or more, got size %d and %d workers",
			name, o.Size, o.Workers)
	}
	var total int
	var err error
	if s.images, total, err = open(); err != nil {
		return nil, err
	}
	if s.q, err = NewPreprocessor(p); err != nil {
		return nil, err
	}
	if total >= 0 {
		s.size, s.workers = min(s.size, max(total, 1)), min(s.workers, max(total, 1))
	}
	s.ahead = 2 + s.workers/s.size
	s.free = make(chan *memory, s.ahead+2)
	return s, nil
}

// run starts dispatcher and workers, and yields the batches in order.
func (s *stream) run(ctx context.Context, yield func(graph.Batch, error) bool) {
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	jobs, slots := make(chan job, s.workers), make(chan *slot, s.ahead)
	for range s.workers {
		wg.Go(func() { s.work(ctx, inner, jobs) })
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
		if b.labelled {
			out.Labels = m.labels[:b.n]
		}
		if !yield(out, nil) {
			return
		}
	}
	if err := ctx.Err(); err != nil { // the dispatcher may have stopped early because ctx ended
		yield(graph.Batch{}, err)
	}
}

// dispatch cuts the stream into batches and sends their images to the workers. The capacity of slots bounds how many
// batches are in progress.
func (s *stream) dispatch(ctx context.Context, jobs chan<- job, slots chan<- *slot) {
	defer close(slots)
	defer close(jobs)
	var b *slot
	pos := 0
	begin := func() bool {
		b = &slot{first: pos, done: make(chan struct{})}
		b.pending.Store(1)
		select {
		case slots <- b:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var failed error
	err := s.each(ctx, func(it item) bool {
		if failed = s.settle(ctx, it); failed != nil {
			return false
		}
		if b == nil {
			if !begin() {
				return false
			}
			b.memory = s.allocate()
		}
		b.labels[b.n], b.labelled = it.label, b.labelled || it.labelled
		b.pending.Add(1)
		select {
		case jobs <- job{b, it, b.n}:
		case <-ctx.Done():
			return false
		}
		pos++
		if b.n++; b.n == s.size {
			b.finish()
			b = nil
		}
		return true
	})
	if ctx.Err() != nil {
		return
	}
	switch {
	case failed != nil:
		err = failed
	case err == nil && pos == 0:
		err = fmt.Errorf("%s: %w", s.name, ErrNoImages)
	}
	if err != nil {
		if b == nil && !begin() {
			return
		}
		b.fail(pos, err)
	}
	if b != nil {
		b.finish()
	}
}

// each runs the feed. It turns panics, which would end the program, into errors.
func (s *stream) each(ctx context.Context, give func(item) bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: reading failed: %v", s.name, r)
		}
	}()
	return s.images(ctx, give)
}

// settle determines the size of the network input, by the preprocessing or by the first image.
func (s *stream) settle(ctx context.Context, first item) (err error) {
	if s.sample > 0 {
		return nil
	}
	s.height, s.width = s.q.p.Size()
	if s.height == 0 {
		scratch := newScratch(ctx, s.memory)
		img, err := decode(first, scratch)
		scratch.done()
		if err != nil {
			return err
		}
		if s.height, s.width, err = s.q.Size(img.Height, img.Width); err != nil {
			return first.blame(err)
		}
	}
	s.sample = 3 * s.height * s.width
	return nil
}

// decode decodes one image. Panics become errors that name the image.
func decode(it item, s *scratch) (img Image, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = it.blame(fmt.Errorf("reading failed: %v", r))
		}
	}()
	return it.image(s)
}

// work decodes images until there are no more, or one of the contexts has ended: the caller's, or the one that is made
// from it, which ends later than the caller's by as long as the goroutine that ends it waits for a processor.
func (s *stream) work(callers, ctx context.Context, jobs <-chan job) {
	q := &Preprocessor{p: s.q.p, table: s.q.table}
	scratch := newScratch(ctx, s.memory)
	for j := range jobs {
		if callers.Err() != nil || ctx.Err() != nil {
			return
		}
		if err := s.fill(q, j.x[j.k*s.sample:(j.k+1)*s.sample], j.item, scratch); err != nil {
			j.fail(j.first+j.k, err)
		}
		j.finish()
	}
}

// fill decodes and preprocesses an image into dst.
func (s *stream) fill(q *Preprocessor, dst []float32, it item, scratch *scratch) error {
	defer scratch.done()
	img, err := decode(it, scratch)
	if err != nil {
		return err
	}
	height, width, err := q.Size(img.Height, img.Width)
	if err == nil && (height != s.height || width != s.width) {
		err = fmt.Errorf("expected the size of the first image after preprocessing, %dx%d (height x width), got "+
			"%dx%d; set a crop to make them equal",
			s.height, s.width, height, width)
	}
	if err == nil {
		err = q.Apply(dst, img)
	}
	if err != nil {
		return it.blame(err)
	}
	return nil
}

// finish marks one image, or the dispatcher's part, as finished; after the last one the batch is done.
func (b *slot) finish() {
	if b.pending.Add(-1) == 0 {
		close(b.done)
	}
}

// fail keeps the error of the first failed image, in the order of the stream.
func (b *slot) fail(pos int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil || pos < b.failed {
		b.failed, b.err = pos, err
	}
}

// allocate returns memory that was released, or new memory.
func (s *stream) allocate() *memory {
	select {
	case m := <-s.free:
		return m
	default:
	}
	return &memory{x: make([]float32, s.size*s.sample), labels: make([]int, s.size)}
}

// recycle keeps released memory for later batches.
func (s *stream) recycle(m *memory) {
	invariant.Poison(m.x)
	invariant.Poison(m.labels)
	select {
	case s.free <- m:
	default:
	}
}
