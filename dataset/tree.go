package dataset

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/objects"
)

// tree is where the paths of a DATA argument lead: an fs.FS, whose paths have slashes, or the operating system's files,
// and objects of stores by their URLs.
type tree struct {
	fs.FS
	native bool            // paths are in the operating system's form
	ctx    context.Context // context of opening, nil for none
}

// err returns the error of the context in which a set is opened.
func (t tree) err() error {
	if t.ctx == nil {
		return nil
	}
	return t.ctx.Err()
}

// disk returns the operating system's file system.
func disk() tree { return tree{FS: fsfile.Disk(), native: true} }

// isURL tells whether a path is the URL of an object.
func (t tree) isURL(name string) bool { return t.native && objects.IsURL(name) }

func (t tree) stat(name string) (fs.FileInfo, error) { return fs.Stat(t.FS, name) }

func (t tree) exists(name string) bool {
	_, err := t.stat(name)
	return err == nil
}

// glob returns the matches of a pattern in byte order.
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
	if t.isURL(folder) {
		return objects.Join(folder, rel)
	}
	if t.native {
		return filepath.Join(folder, filepath.FromSlash(rel))
	}
	return path.Join(folder, rel)
}

func (t tree) split(name string) (folder, base string) {
	if t.isURL(name) {
		return objects.Parent(name)
	}
	if t.native {
		return filepath.Dir(name), filepath.Base(name)
	}
	return path.Dir(name), path.Base(name)
}

// relative returns name relative to folder, with slashes, or name itself where it is not in the folder.
func (t tree) relative(folder, name string) string {
	if t.native && !t.isURL(name) {
		if rel, err := filepath.Rel(folder, name); err == nil {
			name = rel
		}
		return filepath.ToSlash(name)
	}
	return strings.TrimPrefix(name, folder+"/")
}

// regular returns an error unless name is a regular file; opening anything else could block.
func (t tree) regular(name string) (fs.FileInfo, error) {
	info, err := t.stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: expected a file, or a pattern such as %s/*, got a folder", name, name)
	case !info.Mode().IsRegular() || info.Size() < 0:
		return nil, fmt.Errorf("%s: %w", name, fsfile.ErrNotRegular)
	}
	return info, nil
}

// openRegular opens a regular file. A file without random access is read into memory.
func (t tree) openRegular(name string) (fsfile.File, int64, error) {
	info, err := t.regular(name)
	if err != nil {
		return nil, 0, err
	}
	f, err := fsfile.Open(t.FS, name, info.Size(), maxUnpacked)
	return f, info.Size(), err
}

// read returns the content of a regular file of at most limit bytes.
func (t tree) read(name string, limit int64) ([]byte, error) {
	info, err := t.regular(name)
	if err != nil {
		return nil, err
	}
	return fsfile.Read(t.FS, name, info.Size(), limit)
}
