package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
)

// Piece is a range of the list of images, all pieces being nearly equal. It is an element of the pipeline. Its size
// does not depend on the number of its images.
type Piece struct {
	Index, Count, First, Images, Total int
	Inputs, Made                       string // those of the piece's dataset.Extent
	// List is the list of pictures, "" for other data. Root is the folder of its paths. The piece's lines are those
	// from Offset to End, in bytes.
	List, Root  string
	Offset, End int64
	Branch      int // the branch that works on the piece
}

// extent returns the extent that the piece's file states.
func (p Piece) extent(unread int) dataset.Extent {
	return dataset.Extent{
		Shard: dataset.Shard{Index: p.Index, Count: p.Count}, First: p.First, Images: p.Images - unread, Unread: unread,
		Total:  p.Total,
		Inputs: p.Inputs, Recipe: p.Made,
	}
}

const piece = 1000 // default number of images in a piece

// matchFn divides the list of images into pieces.
type matchFn struct {
	Options Options
}

// ProcessElement emits the pieces in order.
func (f *matchFn) ProcessElement(ctx context.Context, _ []byte, emit func(Piece)) error {
	made, err := f.made(ctx)
	if err != nil {
		return err
	}
	for p, err := range pieces(ctx, f.Options) {
		if err != nil {
			return fmt.Errorf("data %s: %w", f.Options.Data, err)
		}
		p.Made = made
		emit(p)
	}
	return nil
}

// made returns a text that identifies everything that results depend on besides the images.
func (f *matchFn) made(ctx context.Context) (string, error) {
	w, err := workerOf(ctx, f.Options)
	if err != nil {
		return "", err
	}
	params, err := json.Marshal(f.Options.LINe)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "beam %s\n%s\n%s\n%s\n", f.Options.Job, line.Fingerprint(w.net), w.pre, params)
	if p := f.Options.Precision; p != "" && p != graph.Float32 {
		fmt.Fprintf(h, "precision %s\n", p)
	}
	if w.det != nil {
		if _, err := w.det.WriteTo(h); err != nil {
			return "", err
		}
	}
	return w.net.Name() + " " + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// pieces returns the pieces of the list. A list of pictures is read twice, line by line, with one line in memory at a
// time.
func pieces(ctx context.Context, o Options) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		file, root, isList := o.list(func(name string) bool { return exists(ctx, name) })
		var listing dataset.Listing
		if isList {
			if root == "" {
				root = parent(file)
			}
			for e, err := range entries(ctx, file) {
				if err != nil {
					yield(Piece{}, err)
					return
				}
				listing.Add(e.ID(), e.Label)
			}
		} else if err := openAndList(o.Data, &listing); err != nil {
			yield(Piece{}, err)
			return
		}
		total := listing.Images()
		if total == 0 {
			yield(Piece{}, dataset.ErrNoImages)
			return
		}
		count := o.Pieces
		if count == 0 {
			count = (total + piece - 1) / piece
		}
		count = min(count, total)
		cut := func(i int) Piece {
			lo, hi := dataset.Shard{Index: i, Count: count}.Range(total)
			return Piece{Index: i, Count: count, First: lo, Images: hi - lo, Total: total, Inputs: listing.Inputs(),
				Branch: i * max(1, o.Bundles) / count}
		}
		if !isList {
			for i := range count {
				if !yield(cut(i), nil) {
					return
				}
			}
			return
		}
		p, at := cut(0), 0
		for e, err := range entries(ctx, file) {
			if err != nil {
				yield(Piece{}, err)
				return
			}
			if at == p.First {
				p.List, p.Root, p.Offset = file, root, e.Offset
			}
			if at++; at < p.First+p.Images {
				continue
			}
			p.End = e.End
			if !yield(p, nil) || p.Index+1 == count {
				return
			}
			p = cut(p.Index + 1)
		}
		yield(Piece{}, errors.New("the list became shorter while it was read"))
	}
}

// openAndList opens data other than a list of pictures, and adds their images to listing.
func openAndList(data string, listing *dataset.Listing) error {
	set, err := dataset.Open(data)
	if err != nil {
		return err
	}
	labels := set.Labels()
	for i := range set.Len() {
		label := -1
		if labels != nil {
			label = labels[i]
		}
		listing.Add(set.ID(i), label)
	}
	return set.Close()
}

// entries returns the lines of a list of pictures.
func entries(ctx context.Context, file string) iter.Seq2[dataset.ListEntry, error] {
	return func(yield func(dataset.ListEntry, error) bool) {
		r, err := open(ctx, file)
		if err != nil {
			yield(dataset.ListEntry{}, err)
			return
		}
		defer r.Close()
		for e, err := range dataset.ScanList(file, r) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
