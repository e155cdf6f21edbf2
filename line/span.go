package line

import (
	"fmt"
	"slices"
)

// Span is a range of consecutive images in a list.
type Span struct {
	First  int `json:"first"`  // index of the first image, counted from 0
	Images int `json:"images"` // number of images, at least 1
}

func (s Span) end() int { return s.First + s.Images }

// joinSpans returns the union of two sets of spans, ascending, with adjacent spans joined. Images in both are an
// error.
func joinSpans(a, b []Span) ([]Span, error) {
	all := append(slices.Clone(a), b...)
	slices.SortFunc(all, func(a, b Span) int { return a.First - b.First })
	var out []Span
	for _, s := range all {
		last := len(out) - 1
		switch {
		case last >= 0 && s.First < out[last].end():
			return nil, fmt.Errorf("expected images that were not counted yet, got image %d again", s.First)
		case last >= 0 && s.First == out[last].end():
			out[last].Images += s.Images
		default:
			out = append(out, s)
		}
	}
	return out, nil
}

// wholeSpan returns an error unless the joined spans are the images from 0 to total-1.
func wholeSpan(spans []Span, total int) error {
	at := 0
	for _, s := range spans {
		if s.First > at {
			break
		}
		at = s.end()
	}
	switch {
	case at > total:
		return fmt.Errorf("expected statistics of %d images, got those of %d", total, at)
	case at < total:
		return fmt.Errorf("expected statistics of %d images, got none of image %d", total, at)
	}
	return nil
}
