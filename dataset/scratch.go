package dataset

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// DecodeMemory is the default bound of the memory, in bytes, of all pictures that are being decoded: 640 MiB, enough
// for 90 megapixels of PNG. A single picture with a large file may take more, up to 64 times the size of its file.
// Small files that state many pixels are an error.
const DecodeMemory = 640 << 20

// bytesPerFileByte is the memory that each byte of a picture file entitles it to. Photographs need less than 50.
const bytesPerFileByte = 64

// scratch holds what one goroutine needs to decode images: memory for the result, and the budget of memory.
type scratch struct {
	ctx    context.Context // context of the pass in which the images are read; decoders stop when it ends
	buf    []uint8
	memory *budget // shared with other goroutines; nil for a single image
	held   int64
}

func newScratch(ctx context.Context, memory *budget) *scratch {
	return &scratch{ctx: ctx, memory: memory}
}

// enlarge returns a slice of length n in the scratch's memory, which it replaces if it is too small.
func (s *scratch) enlarge(n int) []uint8 {
	if cap(s.buf) < n {
		s.buf = make([]uint8, n)
	}
	return s.buf[:n]
}

// reserve waits until a picture from a file of that many bytes may use need bytes. A picture that can never have them
// is an error, without waiting.
func (s *scratch) reserve(need, file int64) error {
	m := s.memory
	if m == nil {
		m = newBudget(0)
	}
	if need > max(m.limit, bytesPerFileByte*file) {
		return fmt.Errorf("memory to decode it: expected at most %d MiB for a file of %d bytes, got %d MiB",
			m.limit>>20, file, need>>20)
	}
	if err := m.take(s.ctx, need); err != nil {
		return err
	}
	s.held += need
	return nil
}

// decode decodes a picture file into the scratch's memory.
func (s *scratch) decode(file []byte) (Image, error) { return s.decodeWithin(file, picture.MaxPixels) }

// decodeWithin is decode for a picture of at most most pixels.
func (s *scratch) decodeWithin(file []byte, most int) (Image, error) {
	need, err := picture.Memory(file, most)
	if err == nil {
		err = s.reserve(need, int64(len(file)))
	}
	if err != nil {
		return Image{}, err
	}
	pix, height, width, err := picture.DecodeContext(s.ctx, file, s.buf)
	if err != nil {
		return Image{}, err
	}
	s.buf = pix
	return Image{Pix: pix, Height: height, Width: width}, nil
}

// keptBuffer is the largest buffer, in bytes, that a scratch keeps for the next image; a larger one is freed with its
// reservation.
const keptBuffer = 64 << 20

// collected is the largest memory, in bytes, of a picture after which no garbage collection is forced. After a larger
// picture, a collection takes less than a hundredth of the time of decoding.
const collected = 128 << 20

// done gives the memory of the image back, which must not be read afterwards.
func (s *scratch) done() {
	if cap(s.buf) > keptBuffer {
		s.buf = nil
	}
	if s.held > collected { // before another picture allocates as much besides this garbage
		runtime.GC()
	}
	if s.held > 0 && s.memory != nil {
		s.memory.give(s.held)
	}
	s.held = 0
}

// budget is an amount of memory that goroutines share.
type budget struct {
	limit int64

	mu    sync.Mutex
	taken int64
	freed chan struct{} // closed when memory is given back
}

// newBudget returns a budget of limit bytes; 0 stands for DecodeMemory.
func newBudget(limit int64) *budget {
	if limit == 0 {
		limit = DecodeMemory
	}
	return &budget{limit: limit, freed: make(chan struct{})}
}

// take waits until n bytes are free. More than the limit are given to one goroutine at a time, when nothing else is
// in use.
func (b *budget) take(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if b.taken == 0 || b.taken+n <= b.limit {
			b.taken += n
			b.mu.Unlock()
			return nil
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken -= n
	close(b.freed)
	b.freed = make(chan struct{})
}
