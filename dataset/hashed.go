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
	mu     sync.Mutex
	hashes [][sha256.Size]byte
	read   []bool
}

// WithHashes returns d as a set that remembers hashes. Closing it closes d.
func WithHashes(d Dataset) *Hashed {
	return &Hashed{Dataset: d, hashes: make([][sha256.Size]byte, d.Len()), read: make([]bool, d.Len())}
}

// Image decodes image i, as of the set underneath.
func (h *Hashed) Image(i int) (Image, error) {
	img, err := h.Dataset.Image(i)
	return h.remember(i, img, err)
}

func (h *Hashed) imageInto(i int, buf *[]uint8) (Image, error) {
	img, err := imageInto(h.Dataset, i, buf)
	return h.remember(i, img, err)
}

func (h *Hashed) remember(i int, img Image, err error) (Image, error) {
	if err != nil {
		return img, err
	}
	hash := ContentHash(img)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hashes[i], h.read[i] = hash, true
	return img, nil
}

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

// Read reads all images that were not read yet, by so many workers, so that the hashes of all are known. It ends with ctx's error when
// that is done.
func (h *Hashed) Read(ctx context.Context, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		group.Go(func() error {
			var buf []uint8
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
				if _, err := h.imageInto(i, &buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
