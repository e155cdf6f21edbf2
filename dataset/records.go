package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// records is a set of equally sized raw images at fixed distances in a file or in memory: cifar, idx, npy, npz.
type records struct {
	name    string // see Dataset.Name
	path    string // name of the file in errors
	file    string // path of the file on the disk, "" for other sources
	label   string // name of the file in IDs
	src     io.ReaderAt
	closer  io.Closer // nil for sets in memory
	first   int64     // offset of the first image's pixels
	stride  int64     // distance of records in bytes
	n       int
	height  int
	width   int
	colours int  // 1 or 3
	planar  bool // (3, height, width) instead of (height, width, 3)
	labels  []int
	classes []string
}

func (r *records) Name() string      { return r.name }
func (r *records) Len() int          { return r.n }
func (r *records) Labels() []int     { return r.labels }
func (r *records) Classes() []string { return r.classes }
func (r *records) ID(i int) string   { return fmt.Sprintf("%s#%d", text(r.label), i) }

func (r *records) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

func (r *records) Image(i int) (Image, error) {
	return r.imageInto(i, newScratch(context.Background(), nil))
}

func (r *records) imageInto(i int, s *scratch) (Image, error) {
	if err := checkIndex(r, i); err != nil {
		return Image{}, err
	}
	pixels := r.height * r.width
	raw := pixels * r.colours
	room := 3 * pixels
	if r.planar {
		room += raw
	}
	all := s.enlarge(room)
	// The raw bytes are read to the end of the buffer. Spreading grey values to RGB below never overwrites unread
	// ones.
	pix, src := all[:3*pixels:3*pixels], all[room-raw:]
	if _, err := r.src.ReadAt(src, r.first+int64(i)*r.stride); err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: the file has become shorter", io.ErrUnexpectedEOF)
		}
		return Image{}, fmt.Errorf("%s, record %d: %w", r.path, i, err)
	}
	switch {
	case r.planar:
		red, green, blue := src[:pixels], src[pixels:2*pixels], src[2*pixels:]
		for k, v := range red {
			q := pix[3*k : 3*k+3 : 3*k+3]
			q[0], q[1], q[2] = v, green[k], blue[k]
		}
	case r.colours == 1:
		for k, v := range src {
			q := pix[3*k : 3*k+3 : 3*k+3]
			q[0], q[1], q[2] = v, v, v
		}
	}
	return Image{Pix: pix, Height: r.height, Width: r.width}, nil
}

// imagesShape checks a shape (N, H, W) or (N, H, W, 3) and also returns the number of bytes of one image and of all
// images.
func imagesShape(shape []int) (n, height, width, colours int, one, total int64, err error) {
	switch {
	case len(shape) == 3:
		colours = 1
	case len(shape) == 4 && shape[3] == 3:
		colours = 3
	default:
		return 0, 0, 0, 0, 0, 0,
			fmt.Errorf("expected images of shape (N, height, width) or (N, height, width, 3), got %v", shape)
	}
	n, height, width = shape[0], shape[1], shape[2]
	if n == 0 {
		return 0, 0, 0, 0, 0, 0, fmt.Errorf("%w: shape %v", ErrNoImages, shape)
	}
	const maxImages = 1 << (30 + 10*(^uint(0)>>63)) // 2^40, or 2^30 where an int has 32 bits
	if n < 0 || n > maxImages || height < 1 || width < 1 || width > picture.MaxPixels/height {
		return 0, 0, 0, 0, 0, 0, fmt.Errorf("images of shape %v: sizes out of range", shape)
	}
	one = int64(height) * int64(width) * int64(colours)
	if int64(n) > (1<<62)/one {
		return 0, 0, 0, 0, 0, 0, fmt.Errorf("images of shape %v: sizes out of range", shape)
	}
	return n, height, width, colours, one, int64(n) * one, nil
}
