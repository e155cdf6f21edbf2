package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Labelled is a picture of a stream with its class.
type Labelled struct {
	image.Image
	// Label is a class index, -1 where it is unknown.
	Label int
}

// Stream returns the pictures of a sequence, preprocessed, as a stream of batches X [batch, 3, height, width], with
// the same bits that [Batches] gives for a set of the same pictures; see [FromImage]. A picture is any [image.Image],
// for example an [Image] or a [Labelled]. In a batch with labels, those of unlabelled pictures are -1. See [FromSeq]
// and [FromSlice] for pictures without errors, and [StreamChannel] for pictures from a channel.
//
// Pictures are converted and preprocessed ahead in parallel; batches are in order. A few batches are in memory at a
// time, however long the sequence is. Without p.Crop all pictures must have the size of the first one after
// preprocessing. A picture must not change before its batch has been yielded. A sequence without pictures gives
// [ErrNoImages]. An error of the sequence or of a picture ends the stream, after the batches before it; the end of
// ctx ends the stream with ctx.Err(). o.Indices must be nil. The stream can be read again if the sequence can.
//
// The sequence runs on its own goroutine. It is not asked for more pictures after the loop over the batches has been
// left or ctx has ended. The loop ends only when the sequence has returned, so that a sequence that waits must stop
// waiting by itself.
func Stream[T image.Image](ctx context.Context, pictures iter.Seq2[T, error], p nets.Preprocessing,
	o BatchOptions) graph.Batches {
	return streamBatches(ctx, p, o, func(_ context.Context, give func(image.Image) bool) error {
		for v, err := range pictures {
			if err != nil {
				return err
			}
			if !give(v) {
				break
			}
		}
		return nil
	})
}

// StreamChannel is [Stream] for pictures from a channel, until the channel is closed. After the loop over the batches
// has been left or ctx has ended, nothing waits for the channel. Pictures that were received ahead are then lost, and
// reading the stream again continues with those that follow.
//
// A batch is complete when o.Size pictures have been received, or when the channel is closed.
func StreamChannel[T image.Image](ctx context.Context, pictures <-chan T, p nets.Preprocessing,
	o BatchOptions) graph.Batches {
	return streamBatches(ctx, p, o, func(ctx context.Context, give func(image.Image) bool) error {
		for {
			select {
			case v, open := <-pictures:
				if !open || !give(v) {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// FromSeq turns a sequence of pictures without errors into one for [Stream].
func FromSeq[T image.Image](pictures iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range pictures {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// FromSlice turns a slice of pictures into a sequence for [Stream].
func FromSlice[T image.Image](pictures []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range pictures {
			if !yield(v, nil) {
				return
			}
		}
	}
}

const streamName = "stream of pictures"

// streamBatches makes batches of pictures from a sequence or a channel. each calls give with one picture after
// another, until give returns false.
func streamBatches(ctx context.Context, p nets.Preprocessing, o BatchOptions,
	each func(ctx context.Context, give func(image.Image) bool) error,
) graph.Batches {
	return batches(ctx, streamName, p, o, func() (feed, int, error) {
		if o.Indices != nil {
			return nil, 0, fmt.Errorf("%s: expected no indices, got %d", streamName, len(o.Indices))
		}
		return func(ctx context.Context, give func(item) bool) error {
			n := 0
			err := each(ctx, func(im image.Image) bool {
				v := passing{im, n}
				n++
				label, labelled := labelOf(im)
				return give(item{decodable: v, label: label, labelled: labelled})
			})
			if err != nil {
				return passing{nil, n}.blame(err)
			}
			return nil
		}, -1, nil
	})
}

// labelOf returns the label of a picture, -1 if it has none.
func labelOf(im image.Image) (label int, labelled bool) {
	switch im := im.(type) {
	case Labelled:
		return im.Label, true
	case *Labelled:
		if im != nil {
			return im.Label, true
		}
	}
	return -1, false
}

// passing is a picture of a stream on its way to a worker.
type passing struct {
	im image.Image
	n  int // index in the stream
}

func (v passing) image(s *scratch) (Image, error) {
	if v.im == nil {
		return Image{}, v.blame(errors.New("expected a picture, got nil"))
	}
	if label, _ := labelOf(v.im); label < -1 {
		return Image{}, v.blame(checkLabel(label, 0))
	}
	return fromImage(v.im, &s.buf), nil
}

func (v passing) blame(err error) error {
	return fmt.Errorf("%s: picture %d: %w", streamName, v.n, err)
}
