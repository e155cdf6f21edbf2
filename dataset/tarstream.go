package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// TarStream is a set of the pictures in a tar archive that is read once, from start to end, such as one that comes from
// a pipe. Only [Batches] reads it, once. Until then it is empty; what Len, Labels and ID tell grows with the batches.
// An ID is the member's name.
//
// The archive is one that [Open] takes as a tar, or such a one compressed by gzip. The members of a key must follow one
// another, as in WebDataset's shards: a label that comes after pictures of other keys is an error. So is damage, once
// the pictures before it have been read. A few batches of pictures are in memory at a time; names and labels stay.
type TarStream struct {
	name string
	in   io.Reader

	mu    sync.Mutex // guards the fields below, which grow while batches are read
	begun bool
	index tarIndex
}

// ReadTar returns the set of the pictures in the archive that r gives. name stands for the archive in errors. Closing
// the set does not close r.
func ReadTar(name string, r io.Reader) *TarStream {
	return &TarStream{name: name, in: r, index: tarIndex{size: -1, parts: map[string]tarParts{}}}
}

// Name returns the name in errors.
func (t *TarStream) Name() string { return t.name }

// Classes returns nil: an archive does not name its classes.
func (t *TarStream) Classes() []string { return nil }

// Close does nothing.
func (t *TarStream) Close() error { return nil }

// Len returns the number of pictures that have been read so far.
func (t *TarStream) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.index.samples)
}

// Labels returns the labels of the pictures that have been read so far, nil where none is known.
func (t *TarStream) Labels() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.index.labels) == 0 {
		return nil
	}
	return append([]int(nil), t.index.known()...)
}

// ID returns the name of a picture that has been read.
func (t *TarStream) ID(i int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return text(t.index.samples[i].member)
}

// Image returns an error: a picture is gone when it has been read.
func (t *TarStream) Image(int) (Image, error) {
	return Image{}, fmt.Errorf("%s: %w", t.name, errReadOnce)
}

var errReadOnce = errors.New("expected to be read once, from start to end, as batches")

// streamOf returns the stream that a set is, or whose hashes it keeps. It returns nil for other sets.
func streamOf(d Dataset) (t *TarStream, hashed *Hashed) {
	if h, ok := d.(*Hashed); ok {
		d, hashed = h.Dataset, h
	}
	t, _ = d.(*TarStream)
	return t, hashed
}

// passingMember is a picture of the archive on its way to a worker.
type passingMember struct {
	t      *TarStream
	hashed *Hashed // nil for none
	i      int
	member string
	file   []byte
}

func (m passingMember) image(s *scratch) (Image, error) {
	img, err := s.decode(m.file)
	if err != nil {
		return img, m.blame(err)
	}
	if m.hashed != nil {
		m.hashed.SetHash(m.i, ContentHash(img))
	}
	return img, nil
}

func (m passingMember) blame(err error) error {
	return fmt.Errorf("%s, member %s: %w", m.t.name, memberName(m.member), err)
}

// feed returns the pictures in order, each once its key's members have been read.
func (t *TarStream) feed(hashed *Hashed) feed {
	return func(ctx context.Context, give func(item) bool) error {
		t.mu.Lock()
		begun := t.begun
		t.begun = true
		t.mu.Unlock()
		if begun {
			return fmt.Errorf("%s: %w", t.name, errReadOnce)
		}
		t.index.err = ctx.Err
		p := tarPass{TarStream: t, hashed: hashed, give: give}
		if err := p.read(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		return nil
	}
}

// tarPass is the pass over a stream.
type tarPass struct {
	*TarStream
	hashed *Hashed
	give   func(item) bool
	held   *passingMember // the picture of the present key, until its label may no longer come
	key    string         // of held
}

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (p *tarPass) read() error {
	in, err := unzipped(p.in)
	if err != nil {
		return err
	}
	at := &counted{Reader: in}
	r := tar.NewReader(at)
	previous, end := "", int64(0) // as in tarIndex.read
	for {
		if err := p.index.err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return tarFailure(previous, err)
		}
		previous, end = h.Name, at.n
		if hasContent(h) {
			end += (h.Size + tarBlock - 1) / tarBlock * tarBlock
		}
		switch going, err := p.member(h, r); {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("member %s: the archive is cut off: %w", memberName(h.Name), err)
		case err != nil:
			return fmt.Errorf("member %s: %w", memberName(h.Name), err)
		case !going:
			return nil
		}
	}
	if at.n-end < tarBlock {
		return tarFailure(previous, fmt.Errorf("%w: expected blocks of zeros", io.ErrUnexpectedEOF))
	}
	if err := onlyZeros(at); err != nil {
		return tarFailure(previous, err)
	}
	if !p.release() {
		return nil
	}
	return p.index.check()
}

// unzipped returns what gzip compressed, or r itself where it is not compressed.
func unzipped(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head, err := in.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return in, nil
	}
	return gzip.NewReader(in)
}

// onlyZeros reads to the end.
func onlyZeros(r io.Reader) error {
	block := make([]byte, 1<<15)
	for {
		n, err := r.Read(block)
		switch {
		case !isZero(block[:n]):
			return errTarsJoined
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// member takes the next member. It returns false when no more pictures are wanted.
func (p *tarPass) member(h *tar.Header, content io.Reader) (going bool, err error) {
	name := strings.TrimPrefix(h.Name, "./")
	key, ending := splitMember(name)
	if p.held != nil && key != p.key && !p.release() {
		return false, nil
	}
	p.mu.Lock()
	n := len(p.index.samples)
	err = p.index.add(h, 0, content)
	isNew, known := len(p.index.samples) > n, p.index.parts[key]
	p.mu.Unlock()
	switch {
	case err != nil:
		return false, err
	case isNew:
		file, err := io.ReadAll(content)
		if err != nil {
			return false, err
		}
		p.held, p.key = &passingMember{p.TarStream, p.hashed, n, strings.Clone(name), file}, key
	case ending == tarLabel && known.sample >= 0 && p.held == nil:
		return false, fmt.Errorf("expected the label beside its picture, got it behind other keys: an archive that is "+
			"read once cannot go back to %s", memberName(key))
	}
	return true, nil
}

// release passes the held picture on.
func (p *tarPass) release() bool {
	if p.held == nil {
		return true
	}
	m := *p.held
	p.held = nil
	p.mu.Lock()
	label := p.index.labels[m.i]
	p.mu.Unlock()
	return p.give(item{decodable: m, label: label, labelled: label >= 0})
}
