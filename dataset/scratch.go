package dataset

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// DecodeMemory is how many bytes pictures that are being decoded may take together unless told otherwise, 640 MiB:
// enough for 90 megapixels of PNG. A picture may take more by itself where its file is large: its own bytes, 64 times.
// Small files that claim many pixels are an error instead of memory.
const DecodeMemory = 640 << 20

// bytesPerFileByte is how much memory each byte of a picture file vouches for. Photographs take less than 50.
const bytesPerFileByte = 64

// scratch is what one goroutine decodes images with: where they go, and what they may take.
type scratch struct {
	ctx    context.Context // of the pass that the images are read in: decoders look at it
	buf    []uint8
	memory *budget // shared with other goroutines; nil for that of a single image
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

// reserve waits until a picture from a file of so many bytes may take need bytes. It is an error, without waiting,
// where the picture may never take them.
func (s *scratch) reserve(need, file int64) error {
	m := s.memory
	if m == nil {
		m = newBudget(0)
	}
	if need > max(m.limit, bytesPerFileByte*file) {
		return fmt.Errorf("decoding it takes %d MiB, expected at most %d for a file of %d bytes", need>>20, m.limit>>20,
			file)
	}
	if err := m.take(s.ctx, need); err != nil {
		return err
	}
	s.held += need
	return nil
}

// decode decodes a picture file into the scratch's memory.
func (s *scratch) decode(file []byte) (Image, error) { return s.decodeWithin(file, picture.MaxPixels) }

// decodeWithin is decode for a picture of at most so many pixels.
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

// keptBuffer is the most that a scratch keeps for the next image: more is given back with what was reserved.
const keptBuffer = 64 << 20

// collected is what a picture may hold without a collection of garbage when it is done, which takes less than a
// hundredth of its decoding.
const collected = 128 << 20

// done tells that the image is not needed any more.
func (s *scratch) done() {
	if cap(s.buf) > keptBuffer {
		s.buf = nil
	}
	if s.held > collected { // before another picture takes as much beside what is garbage by now
		runtime.GC()
	}
	if s.held > 0 && s.memory != nil {
		s.memory.give(s.held)
	}
	s.held = 0
}

// budget is memory that goroutines share.
type budget struct {
	limit int64

	mu    sync.Mutex
	taken int64
	freed chan struct{} // closed when some is given back
}

// newBudget returns a budget of so many bytes, 0 for DecodeMemory.
func newBudget(limit int64) *budget {
	if limit == 0 {
		limit = DecodeMemory
	}
	return &budget{limit: limit, freed: make(chan struct{})}
}

// take waits until n bytes are free. More than there are ever is taken alone.
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
