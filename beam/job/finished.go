package job

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/line-ood/goline/dataset"
)

// finished is the content of the file that is written beside the file of a piece when that is complete.
type finished struct {
	Extent  dataset.Extent `json:"extent"`
	Letters []Letter       `json:"letters,omitempty"`
}

// file returns the name of the file of a piece.
func (o Options) file(p Piece) string {
	return join(o.folder(), fmt.Sprintf("%s-%06d-of-%06d%s", o.Job, p.Index, p.Count, o.ending()))
}

func (o Options) mark(p Piece) string { return strings.TrimSuffix(o.file(p), o.ending()) + ".json" }

// finished returns the record of a piece that an earlier job finished, nil if there is none or the job does not
// resume.
func (f *work) finished(ctx context.Context, p Piece) (*finished, error) {
	if !f.Options.Resume || !exists(ctx, f.Options.mark(p)) {
		return nil, nil
	}
	data, err := read(ctx, f.Options.mark(p))
	if err != nil {
		return nil, err
	}
	var done finished
	switch err := json.Unmarshal(data, &done); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", f.Options.mark(p), err)
	case done.Extent != p.extent(len(done.Letters)):
		return nil, fmt.Errorf("resume: %s is of another job: expected %+v, got %+v", f.Options.mark(p),
			p.extent(len(done.Letters)), done.Extent)
	case len(done.Letters) > 0 && f.Options.DeadLetters == "":
		return nil, fmt.Errorf("resume: %s lacks images that could not be read, such as %s", f.Options.file(p),
			done.Letters[0].ID)
	}
	return &done, nil
}

// bury writes the dead letters of a piece to a file of their own, as JSON lines, and emits its name. A piece without
// any leaves no file, nor one of an earlier job.
func (f *work) bury(ctx context.Context, p Piece, letters []Letter, emit func(string)) error {
	if f.Options.DeadLetters == "" {
		return nil
	}
	name := join(f.Options.DeadLetters, fmt.Sprintf("unread-%06d-of-%06d.jsonl", p.Index, p.Count))
	if len(letters) == 0 {
		return remove(ctx, name)
	}
	err := write(ctx, name, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, l := range letters {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		emit(name)
	}
	return err
}

// finish writes the file of a piece, and beside it the record that it is complete.
func (f *work) finish(ctx context.Context, p Piece, letters []Letter, data []byte) error {
	put := func(name string, data []byte) error {
		return write(ctx, name, func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(data))
			return err
		})
	}
	if err := put(f.Options.file(p), data); err != nil {
		return err
	}
	text, err := json.Marshal(finished{p.extent(len(letters)), letters})
	if err != nil {
		return err
	}
	return put(f.Options.mark(p), append(text, '\n'))
}

// tell counts a piece that an earlier job finished, and buries its images that could not be read.
func (f *work) tell(ctx context.Context, p Piece, d *finished, letters func(string)) error {
	if err := f.bury(ctx, p, d.Letters, letters); err != nil {
		return err
	}
	taken.Inc(ctx, int64(d.Extent.Images))
	failures.Inc(ctx, int64(len(d.Letters)))
	return nil
}
