// Package atomicfile replaces files as a whole: readers see the old content or the new one, never a part.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/line-ood/goline/internal/objects"
)

const (
	// Every temporary file has a name with this prefix and this suffix.
	prefix = ".goline-"
	suffix = ".tmp"

	bufferSize   = 1 << 16
	nameAttempts = 100
)

// Write creates or replaces the file at path with what write puts into its writer, buffered. A path that is the URL of
// an object of a store makes or replaces that, as a whole too.
//
// The bytes go to a temporary file in the same folder, which is flushed to disk and then renamed over path. When write
// returns an error (a cancelled context, say), when it panics, or when the disk fails, the temporary file is removed
// and path is left as it was. A new file gets the permission that [os.Create] would give it, an existing one keeps its
// own; a symbolic link stays and its target is replaced. Devices and pipes cannot be renamed over: they are written
// directly. The error names path and wraps the cause.
//
// A path that leads to one of the process' own descriptors, such as /dev/stdout or a link to it, is written through
// that descriptor, because the descriptor may be open for appending to a file. What a descriptor of another process
// leads to is appended to.
func Write(path string, write func(io.Writer) error) error {
	if objects.IsURL(path) {
		return objects.Write(path, func(w io.Writer) error {
			b := bufio.NewWriterSize(w, bufferSize)
			if err := write(b); err != nil {
				return err
			}
			return b.Flush()
		})
	}
	switch fd, whose := descriptor(path); whose {
	case own:
		return wrap(path, writeDescriptor(fd, write))
	case foreign:
		return wrap(path, writeDirect(path, os.O_APPEND, write))
	}
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	perm := fs.FileMode(0)
	switch info, err := os.Stat(target); {
	case err == nil && info.IsDir():
		return fmt.Errorf("write %s: is a folder", path)
	case err == nil && !info.Mode().IsRegular():
		return wrap(path, writeDirect(target, 0, write))
	case err == nil:
		perm = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return wrap(path, err)
	}
	return wrap(path, replace(target, perm, write))
}

// replace writes a temporary file and renames it to target. A perm other than 0 is set on the new file.
func replace(target string, perm fs.FileMode, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(target)
	f, err := createBeside(dir)
	if err != nil {
		return err
	}
	live.add(f.Name())
	done := false
	defer func() {
		live.drop(f.Name())
		if !done { // also on a panic of write
			f.Close()
			os.Remove(f.Name())
		}
	}()
	lock(f)
	if err := fill(f, write); err != nil {
		return err
	}
	if perm != 0 {
		if err := f.Chmod(perm); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	done = true
	// Syncing the folder makes the rename durable. Not every file system allows it; the content is safe without it.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}

func writeDirect(target string, flags int, write func(io.Writer) error) error {
	f, err := os.OpenFile(target, os.O_WRONLY|flags, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f, write), f.Close())
}

// IsStream tells whether [Write] writes to path directly, because it leads to a descriptor, a device or a pipe.
func IsStream(path string) bool {
	if _, whose := descriptor(path); whose != nobody {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

func writeDescriptor(fd int, write func(io.Writer) error) error {
	switch fd {
	case 1:
		return fill(os.Stdout, write)
	case 2:
		return fill(os.Stderr, write)
	}
	f := os.NewFile(uintptr(fd), "descriptor")
	if f == nil {
		return fs.ErrInvalid
	}
	return errors.Join(fill(f, write), f.Close())
}

func fill(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(namelessWriter{f}, bufferSize)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// createBeside creates a temporary file in dir with the default permission. os.CreateTemp would make it unreadable for
// the group.
func createBeside(dir string) (*os.File, error) {
	for attempt := 0; ; attempt++ {
		name := filepath.Join(dir, fmt.Sprintf("%s%016x%s", prefix, rand.Uint64(), suffix))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) && attempt < nameAttempts {
			continue
		}
		return f, err
	}
}

// namelessWriter removes the temporary file's name from errors, because the user asked for another file.
type namelessWriter struct{ f *os.File }

func (w namelessWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	return n, nameless(err)
}

func nameless(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

func wrap(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, nameless(err))
}
