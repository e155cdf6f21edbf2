package dataset

import (
	"context"
	"crypto/sha256"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Hashed is a set that keeps the [ContentHash] of its images that have been read.
type Hashed struct {
	Dataset
	// Progress, if set before [Hashed.HashAll], is called for each image that HashAll reads, on several goroutines.
	Progress func()
	// MaxMemory bounds the memory, in bytes, of all pictures that [Hashed.Read] decodes at a time; 0 means
	// [DecodeMemory].
	MaxMemory int64

	mu     sync.Mutex
	hashes [][sha256.Size]byte
	read   []bool
}

// WithHashes returns d as a set that keeps hashes, or d itself where it already is one. Closing the result closes d.
func WithHashes(d Dataset) *Hashed {
	if h, ok := d.(*Hashed); ok {
		return h
	}
	return &Hashed{Dataset: d, hashes: make([][sha256.Size]byte, d.Len()), read: make([]bool, d.Len())}
}

// Image decodes image i of the underlying set and keeps its hash.
func (h *Hashed) Image(i int) (Image, error) {
	img, err := h.Dataset.Image(i)
	return h.remember(i, img, err)
}

func (h *Hashed) imageInto(i int, s *scratch) (Image, error) {
	img, err := imageInto(h.Dataset, i, s)
	return h.remember(i, img, err)
}

func (h *Hashed) remember(i int, img Image, err error) (Image, error) {
	if err != nil {
		return img, err
	}
	h.SetHash(i, ContentHash(img))
	return img, nil
}

// SetHash sets the hash of image i, 0 <= i < Len, from another source, so that [Hashed.HashAll] need not read the
// image.
func (h *Hashed) SetHash(i int, hash [sha256.Size]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.read) <= i { // of a stream
		h.hashes, h.read = append(h.hashes, [sha256.Size]byte{}), append(h.read, false)
	}
	h.hashes[i], h.read[i] = hash, true
}

func (h *Hashed) origin(i int) (Origin, bool) { return OriginOf(h.Dataset, i) }

// Hashes returns the hashes of the images that have been read, in the order of the set.
func (h *Hashed) Hashes() [][sha256.Size]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out [][sha256.Size]byte
	for i, read := range h.read {
		if read {
			out = append(out, h.hashes[i])
		}
	}
	return out
}

// HashAll reads all images whose hashes are not known, on workers goroutines. When ctx ends it returns ctx's error.
func (h *Hashed) HashAll(ctx context.Context, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	memory := newBudget(h.MaxMemory)
	for w := range workers {
		group.Go(func() error {
			s := newScratch(ctx, memory)
			for i := w; i < h.Len(); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				h.mu.Lock()
				read := h.read[i]
				h.mu.Unlock()
				if read {
					continue
				}
				_, err := h.imageInto(i, s)
				s.done()
				if err != nil {
					return err
				}
				if h.Progress != nil {
					h.Progress()
				}
			}
			return nil
		})
	}
	return group.Wait()
}
