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

	"github.com/line-ood/goline/internal/objects"
)

// Disk returns the operating system's files by any of its paths, not only by those that fs.ValidPath admits, and
// objects of stores by their URLs.
func Disk() fs.FS { return disk{} }

type disk struct{}

func (disk) Open(name string) (fs.File, error) {
	if objects.IsURL(name) {
		f, err := objects.Open(name)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err // not a nil *os.File
	}
	return f, nil
}

func (disk) Stat(name string) (fs.FileInfo, error) {
	if objects.IsURL(name) {
		return objects.Stat(name)
	}
	return os.Stat(name)
}

func (disk) ReadDir(name string) ([]fs.DirEntry, error) {
	if objects.IsURL(name) {
		return objects.ReadDir(name)
	}
	return os.ReadDir(name)
}

func (disk) Glob(pattern string) ([]string, error) {
	if objects.IsURL(pattern) {
		return objects.Glob(pattern)
	}
	return filepath.Glob(pattern)
}

// Regular is an open plain file.
type Regular interface {
	fs.File
	io.ReaderAt
	io.Seeker
}

// OpenRegular opens a plain file of the disk, or an object of a store by its URL. It looks before it opens: opening a
// pipe waits for a writer, and no signal ends that.
func OpenRegular(path string) (Regular, error) {
	if objects.IsURL(path) {
		f, err := objects.Open(path)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Folder returns the files beside a file, and nothing above them: of the disk, or of a store. The caller closes it.
func Folder(path string) (fs.FS, func() error, error) {
	if objects.IsURL(path) {
		folder, _ := objects.Parent(path)
		return objects.Folder(folder), func() error { return nil }, nil
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), root.Close, nil
}

// ErrNotRegular is the cause of errors about folders, pipes and devices where a regular file is expected.
var ErrNotRegular = errors.New("not a regular file")

// ReadRegular returns the content of a plain file of the disk, or of an object of a store.
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
