package dataset

import (
	"context"
	"fmt"
)

// Memory bounds the memory of all pictures that are being decoded with it: goroutines wait for each other. It is safe
// for concurrent use.
type Memory struct{ budget *budget }

// NewMemory returns a Memory of that many bytes; 0 stands for [DecodeMemory].
func NewMemory(bytes int64) *Memory { return &Memory{newBudget(bytes)} }

// Reader decodes images one after another, within memory that it shares with other readers. It is for one goroutine
// at a time.
type Reader struct{ scratch *scratch }

// Reader returns a new reader.
func (m *Memory) Reader() *Reader { return &Reader{newScratch(context.Background(), m.budget)} }

// Image decodes image i of a set and calls use, which may read the image until it returns. When ctx ends it returns
// ctx's error soon, even in the middle of a picture. A picture that needs more memory than there is in total is an
// error, see [DecodeMemory]. An error of use is returned unchanged.
func (r *Reader) Image(ctx context.Context, d Dataset, i int, use func(Image) error) error {
	return r.read(ctx, use, func(s *scratch) (Image, error) { return imageInto(d, i, s) })
}

// Decode is Image for a JPEG, PNG, GIF, BMP or WebP file in memory. More than most pixels are an error.
func (r *Reader) Decode(ctx context.Context, file []byte, most int, use func(Image) error) error {
	return r.read(ctx, use, func(s *scratch) (Image, error) {
		img, err := s.decodeWithin(file, most)
		if err != nil {
			return Image{}, fmt.Errorf("decode picture: %w", err)
		}
		return img, nil
	})
}

func (r *Reader) read(ctx context.Context, use func(Image) error, decode func(*scratch) (Image, error)) error {
	s := r.scratch
	s.ctx = ctx
	defer s.done()
	img, err := decode(s)
	if err != nil {
		return err
	}
	return use(img)
}
