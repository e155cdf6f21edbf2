package dataset

import (
	"context"
	"crypto/sha256"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Hashed is a set that remembers the [ContentHash] of the images that were read of it.
type Hashed struct {
	Dataset
	// Progress, where it is set before [Hashed.HashAll], is called for each image that it reads, on several goroutines.
	Progress func()
	// MaxMemory is how many bytes the pictures that [Hashed.Read] decodes take together, 0 for [DecodeMemory].
	MaxMemory int64

	mu     sync.Mutex
	hashes [][sha256.Size]byte
	read   []bool
}

// WithHashes returns d as a set that remembers hashes, d itself where it is one. Closing it closes d.
func WithHashes(d Dataset) *Hashed {
	if h, ok := d.(*Hashed); ok {
		return h
	}
	return &Hashed{Dataset: d, hashes: make([][sha256.Size]byte, d.Len()), read: make([]bool, d.Len())}
}

// Image decodes image i, as of the set underneath.
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

// SetHash takes the hash of image i, 0 <= i < Len, from elsewhere, so that [Hashed.HashAll] need not look at it.
func (h *Hashed) SetHash(i int, hash [sha256.Size]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
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

// HashAll reads all images that were not read yet, by so many workers, so that the hashes of all are known. It ends
// with ctx's error when that is done.
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
