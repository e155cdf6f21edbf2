package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
	"time"
)

// File is an object that is open for reading, as a stream and from anywhere in it, by several goroutines at a time. It
// holds no more of the object than a few pieces: whoever reads it in small portions gets them out of pieces that double
// while reading goes on in order. Bytes of an object that was replaced meanwhile are an error.
type File struct {
	store    Store
	url, key string
	info     Info

	mu     sync.Mutex
	at     int64         // of Read
	stream io.ReadCloser // that Read reads from, nil for none
	pieces [pieces]piece // the latest first
	ahead  int64         // bytes of the next piece
	end    int64         // of the latest piece
}

// piece is a part of an object.
type piece struct {
	offset int64
	data   []byte
}

// Bounds of reading.
const (
	pieces     = 4       // that a file holds
	firstPiece = 4 << 10 // bytes
	lastPiece  = 2 << 20
	direct     = 32 << 10 // what is read at once from there on goes past the pieces
	attempts   = 3        // to go on where a connection broke off
)

// Open opens an object. It must exist.
func Open(url string) (*File, error) {
	s, key, err := open(url)
	if err != nil {
		return nil, err
	}
	info, err := s.Stat(context.Background(), key)
	if err != nil {
		return nil, blame("open", url, err)
	}
	return &File{store: s, url: url, key: key, info: info, ahead: firstPiece, end: -1}, nil
}

// Name is the URL.
func (f *File) Name() string { return f.url }

// Stat describes the object as it was when it was opened.
func (f *File) Stat() (fs.FileInfo, error) {
	return status{path.Base(f.key), f.url, f.info, false}, nil
}

// Close ends reading.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.drop()
}

// drop ends the stream.
func (f *File) drop() error {
	if f.stream == nil {
		return nil
	}
	err := f.stream.Close()
	f.stream = nil
	return err
}

// Seek sets where Read goes on.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.info.Size
	}
	if offset < 0 {
		return 0, blame("seek", f.url, fs.ErrInvalid)
	}
	if offset != f.at {
		_ = f.drop()
		f.at = offset
	}
	return offset, nil
}

// Read reads on.
func (f *File) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if f.at >= f.info.Size {
		return 0, io.EOF
	}
	if f.at == 0 && len(p) < firstPiece && f.stream == nil { // what a file begins with: no stream for that
		n, err := f.readPieces(p, 0)
		f.at += int64(n)
		return n, err
	}
	var failed error
	for range attempts {
		if f.stream == nil {
			if f.stream, failed = f.read(f.at, -1); failed != nil {
				return 0, failed
			}
		}
		n, err := f.stream.Read(p)
		f.at += int64(n)
		if n > 0 {
			return n, nil // an error comes again
		}
		if err != nil {
			failed = err
			_ = f.drop()
		}
	}
	if failed == nil || failed == io.EOF {
		failed = io.ErrUnexpectedEOF
	}
	return 0, blame("read", f.url, failed)
}

// ReadAt reads from an offset on.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, blame("read", f.url, fs.ErrInvalid)
	}
	if offset >= f.info.Size {
		return 0, io.EOF
	}
	rest := f.info.Size - offset
	var end error
	if int64(len(p)) > rest {
		p, end = p[:rest], io.EOF
	}
	var n int
	var err error
	if len(p) >= direct {
		n, err = f.fill(p, offset)
	} else {
		f.mu.Lock()
		n, err = f.readPieces(p, offset)
		f.mu.Unlock()
	}
	if err == nil {
		err = end
	}
	return n, err
}

// readPieces reads from pieces, and gets those that are missing.
func (f *File) readPieces(p []byte, offset int64) (n int, err error) {
	for n < len(p) && offset < f.info.Size {
		data, err := f.piece(offset)
		if err != nil {
			return n, err
		}
		copied := copy(p[n:], data)
		n += copied
		offset += int64(copied)
	}
	return n, nil
}

// piece returns what a piece holds from an offset on.
func (f *File) piece(offset int64) ([]byte, error) {
	for i, x := range f.pieces {
		if offset >= x.offset && offset < x.offset+int64(len(x.data)) {
			copy(f.pieces[1:i+1], f.pieces[:i])
			f.pieces[0] = x
			return x.data[offset-x.offset:], nil
		}
	}
	if f.ahead = min(4*f.ahead, lastPiece); offset != f.end {
		f.ahead = firstPiece
	}
	x := piece{offset, make([]byte, min(f.ahead, f.info.Size-offset))}
	if _, err := f.fill(x.data, offset); err != nil {
		return nil, err
	}
	copy(f.pieces[1:], f.pieces[:])
	f.pieces[0] = x
	f.end = offset + int64(len(x.data))
	return x.data, nil
}

// fill reads len(p) bytes, all of which exist.
func (f *File) fill(p []byte, offset int64) (n int, err error) {
	for range attempts {
		var r io.ReadCloser
		if r, err = f.read(offset+int64(n), int64(len(p)-n)); err != nil {
			return n, err
		}
		var got int
		got, err = io.ReadFull(r, p[n:])
		n += got
		if err = errors.Join(err, r.Close()); err == nil {
			return n, nil
		}
	}
	return n, blame("read", f.url, err)
}

// read begins to read, and fails unless the object is what it was.
func (f *File) read(offset, length int64) (io.ReadCloser, error) {
	r, now, err := f.store.Read(context.Background(), f.key, offset, length)
	if err != nil {
		return nil, blame("read", f.url, err)
	}
	if now.Size != f.info.Size || !now.Modified.Truncate(time.Second).Equal(f.info.Modified.Truncate(time.Second)) {
		r.Close()
		return nil, blame("read", f.url, fmt.Errorf("it changed while it was read: expected %d bytes of %s, got %d of "+
			"%s", f.info.Size, f.info.Modified.UTC().Format(time.DateTime), now.Size,
			now.Modified.UTC().Format(time.DateTime)))
	}
	return r, nil
}

// status is what fs.FileInfo tells of an object or folder.
type status struct {
	name   string
	url    string
	info   Info
	folder bool
}

// Same tells whether both describe one object or folder of a store, as os.SameFile does for files.
func Same(a, b fs.FileInfo) bool {
	x, ok := a.(status)
	y, also := b.(status)
	return ok && also && SameURL(x.url, y.url)
}

func (s status) Name() string       { return s.name }
func (s status) Size() int64        { return s.info.Size }
func (s status) ModTime() time.Time { return s.info.Modified }
func (s status) IsDir() bool        { return s.folder }
func (s status) Sys() any           { return nil }
func (s status) Mode() fs.FileMode {
	if s.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
