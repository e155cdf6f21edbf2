package dataset

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tree is where the paths of a DATA argument lead: an fs.FS, whose paths have slashes, or the operating system's files.
type tree struct {
	fs.FS
	native bool // paths are the operating system's
}

// disk returns the operating system's files.
func disk() tree { return tree{FS: system{}, native: true} }

// system gives the operating system's files by any path, not only by those that fs.ValidPath admits.
type system struct{}

func (system) Open(name string) (fs.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // not a nil *os.File
	}
	return f, nil
}

func (system) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (system) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (system) Glob(pattern string) ([]string, error)      { return filepath.Glob(pattern) }

func (t tree) stat(name string) (fs.FileInfo, error) { return fs.Stat(t.FS, name) }

func (t tree) exists(name string) bool {
	_, err := t.stat(name)
	return err == nil
}

// glob returns what matches a pattern in byte order.
func (t tree) glob(pattern string) ([]string, error) {
	matches, err := fs.Glob(t.FS, pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	slices.Sort(matches)
	return matches, nil
}

// below returns the path of rel, which has slashes, below a folder.
func (t tree) below(folder, rel string) string {
	if t.native {
		return filepath.Join(folder, filepath.FromSlash(rel))
	}
	return path.Join(folder, rel)
}

func (t tree) split(name string) (folder, base string) {
	if t.native {
		return filepath.Dir(name), filepath.Base(name)
	}
	return path.Dir(name), path.Base(name)
}

// relative returns name, with slashes, as seen from a folder that it is in, and name itself where it is in no such place.
func (t tree) relative(folder, name string) string {
	if t.native {
		if rel, err := filepath.Rel(folder, name); err == nil {
			name = rel
		}
		return filepath.ToSlash(name)
	}
	return strings.TrimPrefix(name, folder+"/")
}

// file is an open file that can be read from anywhere.
type file interface {
	io.ReaderAt
	io.Closer
}

// regular refuses all but plain files; opening anything else could block.
func (t tree) regular(name string) (fs.FileInfo, error) {
	info, err := t.stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: expected a file, or a pattern such as %s/*, got a folder", name, name)
	case !info.Mode().IsRegular() || info.Size() < 0:
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	return info, nil
}

// openRegular opens a plain file. Where the tree cannot read from anywhere in it, as in a zip archive, it is read into
// memory.
func (t tree) openRegular(name string) (file, int64, error) {
	info, err := t.regular(name)
	if err != nil {
		return nil, 0, err
	}
	f, err := t.Open(name)
	if err != nil {
		return nil, 0, err
	}
	if at, ok := f.(file); ok {
		return at, info.Size(), nil
	}
	defer f.Close()
	data, err := contents(f, info.Size(), maxUnpacked)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return inBytes{bytes.NewReader(data)}, info.Size(), nil
}

// inBytes is a file in memory.
type inBytes struct{ io.ReaderAt }

func (inBytes) Close() error { return nil }

// read returns the content of a plain file of at most limit bytes.
func (t tree) read(name string, limit int64) ([]byte, error) {
	info, err := t.regular(name)
	if err != nil {
		return nil, err
	}
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := contents(f, info.Size(), limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// contents reads the bytes that a file is said to have, no more than limit.
func contents(f io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("expected at most %d bytes, got %d", limit, size)
	}
	const atOnce = 1 << 26 // beyond it memory grows with what arrives
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
