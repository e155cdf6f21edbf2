package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/internal/fsfile"
)

// tarSet is a set of the pictures in a tar archive, which are read from the archive when needed.
type tarSet struct {
	name    string // see Dataset.Name
	path    string // name of the archive in errors
	onDisk  string // path on the disk, "" for other sources
	label   string // name of the archive in IDs
	file    fsfile.File
	samples []tarSample
	labels  []int
}

// tarSample is one picture of an archive.
type tarSample struct {
	member       string
	offset, size int64 // in bytes
}

// openTar opens a tar archive of pictures. It reads the headers and labels; the pictures stay in the file.
func openTar(s source) (Dataset, error) {
	f, size, err := s.tree.openRegular(s.path)
	if errors.Is(err, fsfile.ErrNotRegular) {
		err = fmt.Errorf("%w: pictures are read at their offsets, which a pipe does not have: score and features read "+
			"an archive from standard input, --data tar:-", err)
	}
	if err != nil {
		return nil, err
	}
	x := tarIndex{file: f, size: size, err: s.tree.err}
	if err := x.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return &tarSet{
		name: s.name, path: s.path, onDisk: s.file(), label: s.label, file: f, samples: x.samples, labels: x.known(),
	}, nil
}

func (t *tarSet) Name() string      { return t.name }
func (t *tarSet) Len() int          { return len(t.samples) }
func (t *tarSet) Labels() []int     { return t.labels }
func (t *tarSet) Classes() []string { return nil }
func (t *tarSet) ID(i int) string   { return text(t.label + "/" + t.samples[i].member) }
func (t *tarSet) Close() error      { return t.file.Close() }

func (t *tarSet) origin(i int) (Origin, bool) {
	return Origin{t.onDisk, "tar", i}, t.onDisk != ""
}

func (t *tarSet) Image(i int) (Image, error) {
	return t.imageInto(i, newScratch(context.Background(), nil))
}

func (t *tarSet) imageInto(i int, s *scratch) (Image, error) {
	if err := checkIndex(t, i); err != nil {
		return Image{}, err
	}
	m := t.samples[i]
	data := make([]byte, m.size)
	_, err := t.file.ReadAt(data, m.offset)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: the archive has become shorter", io.ErrUnexpectedEOF)
	}
	var img Image
	if err == nil {
		img, err = s.decode(data)
	}
	if err != nil {
		return Image{}, fmt.Errorf("%s, member %s: %w", t.path, memberName(m.member), err)
	}
	return img, nil
}
