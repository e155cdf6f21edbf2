// Package fsfile opens regular files for reading at any offset, whether they lie on the disk or in an fs.FS whose files
// can only be read from start to end.
package fsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Disk returns the operating system's files as an fs.FS that accepts any of its paths, not only those of fs.ValidPath.
func Disk() fs.FS { return disk{} }

type disk struct{}

func (disk) Open(name string) (fs.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // not a nil *os.File
	}
	return f, nil
}

func (disk) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (disk) Glob(pattern string) ([]string, error)      { return filepath.Glob(pattern) }

// OpenRegular opens a regular file of the disk. It checks the kind of file before it opens it, because opening a pipe
// waits for a writer, and no signal interrupts that.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	return os.Open(path)
}

// ErrNotRegular is the cause of errors about folders, pipes and devices where a regular file is expected.
var ErrNotRegular = errors.New("not a regular file")

// ReadRegular returns the content of a regular file of the disk.
func ReadRegular(path string) ([]byte, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.Closer
}

// Open opens a regular file of the given size. Where a file of fsys can only be read from start to end, as in a zip
// archive, it is read into memory; it is an error if it is longer than limit bytes. Errors name the file.
func Open(fsys fs.FS, name string, size, limit int64) (File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	if at, ok := f.(File); ok {
		return at, nil
	}
	defer f.Close()
	data, err := contents(f, size, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return inMemory{bytes.NewReader(data)}, nil
}

type inMemory struct{ io.ReaderAt }

func (inMemory) Close() error { return nil }

// Read returns the content of a regular file of the given size, which must not exceed limit bytes. Errors name the
// file.
func Read(fsys fs.FS, name string, size, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := contents(f, size, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// contents reads size bytes, the size that the file claims to have.
func contents(f io.Reader, size, limit int64) ([]byte, error) {
	if size < 0 || size > limit {
		return nil, fmt.Errorf("expected at most %d bytes, got %d", limit, size)
	}
	const atOnce = 1 << 26 // a larger buffer grows with the bytes that arrive
	var b bytes.Buffer
	b.Grow(int(min(size, atOnce)) + bytes.MinRead)
	if n, err := b.ReadFrom(io.LimitReader(f, size)); err != nil || n < size {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("expected %d bytes, got %d: %w", size, n, err)
	}
	return b.Bytes(), nil
}
