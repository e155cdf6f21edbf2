package job

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"runtime"
	"sync"

	"github.com/line-ood/goline/dataset"
)

// Letter describes an image that could not be read. It is a line of a file of dead letters, as JSON.
type Letter struct {
	Position int    `json:"position"` // in the list, counted from 0
	ID       string `json:"id"`
	Label    int    `json:"label"` // -1 where it is unknown
	Reason   string `json:"reason"`
}

// reading is the images of a piece while they are read, in order.
type reading struct {
	source
	piece   Piece
	hashed  bool
	letters func(Letter) // nil if an image that cannot be read is an error
	// The goroutine that reads sets the fields below; they are complete when the stream of images has ended.
	positions []int // positions in the piece of the images that could be read
	hashes    [][sha256.Size]byte
	unread    int

	mu sync.Mutex // guards positions, which is used while images are read
}

// position returns the position in the piece of the i-th image that could be read.
func (r *reading) position(i int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.positions[i]
}

// reads records that an image could be read.
func (r *reading) reads(position int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positions = append(r.positions, position)
}

// decoded is an image that was read, or the error.
type decoded struct {
	image dataset.Image
	hash  [sha256.Size]byte
	err   error
}

// images returns the images that can be read, which are decoded ahead on all processors.
func (r *reading) images(ctx context.Context) iter.Seq2[dataset.Labelled, error] {
	return func(yield func(dataset.Labelled, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ahead := make(chan chan decoded, 2*runtime.GOMAXPROCS(0))
		go func() {
			defer close(ahead)
			busy := make(chan struct{}, runtime.GOMAXPROCS(0))
			for i := range r.n {
				one := make(chan decoded, 1)
				select {
				case ahead <- one:
				case <-ctx.Done():
					return
				}
				busy <- struct{}{}
				go func() {
					one <- r.decode(ctx, i)
					<-busy
				}()
			}
		}()
		i := -1
		for one := range ahead {
			d := <-one
			i++
			switch {
			case d.err != nil && ctx.Err() != nil:
				yield(dataset.Labelled{}, ctx.Err())
				return
			case d.err != nil && (r.letters == nil || !isOfImage(d.err)):
				yield(dataset.Labelled{}, fmt.Errorf("image %s: %w", r.id(i), d.err))
				return
			case d.err != nil:
				r.unread++
				r.letters(Letter{Position: r.piece.First + i, ID: r.id(i), Label: r.label(i), Reason: d.err.Error()})
				continue
			}
			r.reads(i)
			if r.hashed {
				r.hashes = append(r.hashes, d.hash)
			}
			if !yield(dataset.Labelled{Image: d.image, Label: r.label(i)}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(dataset.Labelled{}, err)
		}
	}
}

// decode reads one image. A panic becomes the image's error.
func (r *reading) decode(ctx context.Context, i int) (d decoded) {
	defer func() {
		if v := recover(); v != nil {
			d.err = fmt.Errorf("reading failed: %v", v)
		}
	}()
	if d.image, d.err = r.image(ctx, i); d.err == nil && r.hashed {
		d.hash = dataset.ContentHash(d.image)
	}
	return d
}

// isOfImage distinguishes an error of the image from one of the machine or the connection, which may not occur at
// another attempt.
func isOfImage(err error) bool {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	}
	network := net.Error(nil) // checked last, because errors of system calls are net.Errors too
	return !errors.As(err, &network)
}
