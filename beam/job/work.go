package job

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
)

// work is the part that the DoFns of all jobs have in common: they read the images of pieces, and run the network on
// them.
type work struct {
	Options Options
	worker  *worker
	begun   bool // whether the bundle already had a piece
}

// count counts the bundles that have pieces.
func (f *work) count(ctx context.Context) {
	if !f.begun {
		bundles.Inc(ctx, 1)
	}
	f.begun = true
}

// Setup opens the network, once in each process.
func (f *work) Setup(ctx context.Context) (err error) {
	f.worker, err = workerOf(ctx, f.Options)
	return err
}

// run reads the images of a piece and passes them to use as a stream; reading is complete when use returns.
func (f *work) run(ctx context.Context, p Piece, letter func(Letter), use func(images graph.Batches,
	r *reading) error) error {
	s, err := f.worker.sourceOf(ctx, p)
	if err != nil {
		return err
	}
	r := &reading{source: s, piece: p, hashed: f.Options.Job == Fit}
	if f.Options.DeadLetters != "" {
		r.letters = letter
	}
	start := time.Now()
	images := dataset.Stream(ctx, r.images(ctx), f.worker.pre, dataset.BatchOptions{})
	if err := use(images, r); err != nil {
		return err
	}
	pictures.Inc(ctx, int64(len(r.positions)))
	failures.Inc(ctx, int64(r.unread))
	if seconds := time.Since(start).Seconds(); seconds > 0 {
		rate.Update(ctx, int64(float64(len(r.positions))/seconds))
	}
	return nil
}

// fitFn measures LINe's statistics of pieces.
type fitFn struct {
	work
}

// StartBundle resets the count of the bundle.
func (f *fitFn) StartBundle(context.Context, func(Sums), func(string)) { f.begun = false }

// ProcessElement emits the statistics of a piece, and the name of the file of its dead letters.
func (f *fitFn) ProcessElement(ctx context.Context, p Piece, emit func(Sums), buried func(string)) error {
	f.count(ctx)
	if done, err := f.finished(ctx, p); err != nil {
		return err
	} else if done != nil {
		s := &line.Statistics{}
		data, err := read(ctx, f.Options.file(p))
		if err == nil {
			err = s.UnmarshalBinary(data)
		}
		if err == nil {
			if err := f.tell(ctx, p, done, buried); err != nil {
				return err
			}
			emit(Sums{Total: p.Total, Statistics: s})
			return nil
		}
		log.Warnf(ctx, "%s: %v: the piece is done again", f.Options.file(p), err)
	}
	var s *line.Statistics
	var letters []Letter
	keep := func(l Letter) { letters = append(letters, l) }
	err := f.run(ctx, p, keep, func(images graph.Batches, r *reading) (err error) {
		place := line.Place{Span: line.Span{First: p.First, Images: p.Images}, Position: r.position}
		if s, err = line.MeasurePlace(ctx, f.worker.program, images, place, f.Options.LINe.options()); err != nil {
			return err
		}
		s = s.WithPictures(r.hashes)
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.bury(ctx, p, letters, buried); err != nil {
		return err
	}
	if f.Options.Parts != "" {
		data, err := s.MarshalBinary()
		if err != nil {
			return err
		}
		if err := f.finish(ctx, p, letters, data); err != nil {
			return err
		}
	}
	emit(Sums{Total: p.Total, Statistics: s})
	return nil
}

// fileFn writes a file for each piece.
type fileFn struct {
	work
}

// StartBundle resets the count of the bundle.
func (f *fileFn) StartBundle(context.Context, func(string), func(string)) { f.begun = false }

// ProcessElement writes the features or scores of a piece. It emits the file's name, and that of its dead letters.
func (f *fileFn) ProcessElement(ctx context.Context, p Piece, emit func(string), buried func(string)) error {
	f.count(ctx)
	done, err := f.finished(ctx, p)
	if err != nil {
		return err
	}
	if done != nil {
		if err := f.tell(ctx, p, done, buried); err != nil {
			return err
		}
		emit(f.Options.file(p))
		return nil
	}
	var letters []Letter
	keep := func(l Letter) { letters = append(letters, l) }
	var data []byte
	err = f.run(ctx, p, keep, func(images graph.Batches, r *reading) (err error) {
		if f.Options.Job == Score {
			data, err = f.worker.scores(ctx, images, r)
		} else {
			data, err = f.worker.features(ctx, images, r)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := f.bury(ctx, p, letters, buried); err != nil {
		return err
	}
	if err := f.finish(ctx, p, letters, data); err != nil {
		return err
	}
	emit(f.Options.file(p))
	return nil
}
