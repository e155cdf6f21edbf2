package dataset

import (
	"context"
	"fmt"
)

// Memory is what pictures that are being decoded take together, whoever decodes them: goroutines wait for each other.
// It is safe for concurrent use.
type Memory struct{ budget *budget }

// NewMemory returns memory of so many bytes, 0 for [DecodeMemory].
func NewMemory(bytes int64) *Memory { return &Memory{newBudget(bytes)} }

// Reader decodes one image after the other, on one goroutine at a time, within memory that it shares with other
// readers.
type Reader struct{ scratch *scratch }

// Reader returns a new reader.
func (m *Memory) Reader() *Reader { return &Reader{newScratch(context.Background(), m.budget)} }

// Image decodes image i of a set and gives it to use, which may read it until it returns. It fails with ctx's error
// soon after ctx is done, also in the middle of a picture; a picture that takes more memory than there ever is is an
// error, see [DecodeMemory]; use's error is returned as it is.
func (r *Reader) Image(ctx context.Context, d Dataset, i int, use func(Image) error) error {
	return r.read(ctx, use, func(s *scratch) (Image, error) { return imageInto(d, i, s) })
}

// Decode is Image for a JPEG, PNG, GIF, BMP or WebP file in memory, of most pixels at most.
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
