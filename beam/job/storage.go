package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
)

// join returns the path or address of a name below a folder, or the name itself if it is absolute.
func join(folder, name string) string {
	switch {
	case folder == "" || strings.Contains(name, "://") || path.IsAbs(name):
		return name
	case strings.Contains(folder, "://"):
		return strings.TrimSuffix(folder, "/") + "/" + name
	}
	return path.Join(folder, name)
}

// parent returns the folder of a path or address.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return ""
	}
	return name[:i+1]
}

// open opens a file of any of Beam's file systems.
func open(ctx context.Context, name string) (io.ReadCloser, error) {
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := fs.OpenRead(ctx, name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), fs.Close())
	}
	return &openedFile{r, fs}, nil
}

// openedFile is a file whose Close also closes its file system.
type openedFile struct {
	io.ReadCloser
	fs filesystem.Interface
}

func (o *openedFile) Close() error { return errors.Join(o.ReadCloser.Close(), o.fs.Close()) }

// read returns the content of a file.
func read(ctx context.Context, name string) ([]byte, error) {
	r, err := open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// exists reports whether a file can be opened.
func exists(ctx context.Context, name string) bool {
	r, err := open(ctx, name)
	if err != nil {
		return false
	}
	return r.Close() == nil
}

// remove removes a file if it exists. Where the file system cannot, the file becomes empty.
func remove(ctx context.Context, name string) error {
	if !exists(ctx, name) {
		return nil
	}
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return err
	}
	remover, ok := fs.(filesystem.Remover)
	if ok {
		err = remover.Remove(ctx, name)
	}
	if err = errors.Join(err, fs.Close()); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	if ok {
		return nil
	}
	return write(ctx, name, func(io.Writer) error { return nil })
}

// write writes a file, complete or not at all. Where the file system can rename, it writes to another name first;
// object stores create an object only when it is closed.
func write(ctx context.Context, name string, fill func(io.Writer) error) (err error) {
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fs.Close()) }()
	renamer, renames := fs.(filesystem.Renamer)
	remover, removes := fs.(filesystem.Remover)
	to := name
	if renames = renames && removes && !strings.Contains(name, "://"); renames {
		to = fmt.Sprintf("%s.%016x.tmp", name, rand.Uint64())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := fs.OpenWrite(ctx, to)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err = fill(w); err != nil {
		cancel() // the object that is being sent must not be created
	}
	if err = errors.Join(err, w.Close()); err == nil && renames {
		err = renamer.Rename(ctx, to, name)
	}
	if err != nil {
		if renames {
			_ = remover.Remove(context.WithoutCancel(ctx), to)
		}
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
