package job

import (
	"context"
	"fmt"
	"io"

	"github.com/line-ood/goline/dataset"
)

// source gives the images of a piece.
type source struct {
	n     int
	image func(ctx context.Context, i int) (dataset.Image, error)
	id    func(i int) string
	label func(i int) int
}

// sourceOf returns the images of a piece: those in its lines of the list, or its range of the worker's set.
func (w *worker) sourceOf(ctx context.Context, p Piece) (source, error) {
	if p.List == "" {
		if w.set == nil || p.Total != w.set.Len() {
			return source{}, fmt.Errorf("data %s: expected %d images, as when they were listed", w.options.Data,
				p.Total)
		}
		labels := w.set.Labels()
		return source{
			n:     p.Images,
			image: func(_ context.Context, i int) (dataset.Image, error) { return w.set.Image(p.First + i) },
			id:    func(i int) string { return w.set.ID(p.First + i) },
			label: func(i int) int {
				if labels == nil {
					return -1
				}
				return labels[p.First+i]
			},
		}, nil
	}
	lines, err := section(ctx, p)
	if err != nil {
		return source{}, err
	}
	return source{
		n: len(lines),
		image: func(ctx context.Context, i int) (dataset.Image, error) {
			name := join(p.Root, lines[i].Path)
			data, err := read(ctx, name)
			if err != nil {
				return dataset.Image{}, err
			}
			img, err := dataset.Decode(data)
			if err != nil {
				return img, fmt.Errorf("%s: %w", name, err)
			}
			return img, nil
		},
		id:    func(i int) string { return lines[i].ID() },
		label: func(i int) int { return lines[i].Label },
	}, nil
}

// section reads the lines of a piece.
func section(ctx context.Context, p Piece) ([]dataset.ListEntry, error) {
	r, err := open(ctx, p.List)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if s, ok := r.(*openedFile).ReadCloser.(io.Seeker); ok {
		_, err = s.Seek(p.Offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r, p.Offset)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.List, err)
	}
	lines := make([]dataset.ListEntry, 0, p.Images)
	for e, err := range dataset.ScanList(p.List, io.LimitReader(r, p.End-p.Offset)) {
		if err != nil {
			return nil, err
		}
		lines = append(lines, e)
	}
	if len(lines) != p.Images {
		return nil, fmt.Errorf("%s: expected %d images from byte %d to %d, as when it was listed, got %d", p.List,
			p.Images, p.Offset, p.End, len(lines))
	}
	return lines, nil
}
