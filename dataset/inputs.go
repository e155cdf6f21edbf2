package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/line-ood/goline/dataset/internal/picture"
	"github.com/line-ood/goline/internal/objects"
)

// Files lists the regular files that [Open] reads for a DATA argument, in the order of reading. Patterns are
// expanded. An idx pair gives both files, a folder the pictures in it without side files, and a list the list itself
// followed by its pictures. A file can occur more than once.
//
// It returns an error where Open does because the argument refers to nothing, or to a folder that Open would not
// read. The contents of other files are not checked.
func Files(spec string) ([]string, error) {
	files, err := disk().files(spec)
	if err != nil {
		return nil, fmt.Errorf("files of data %q: %w", spec, err)
	}
	return files, nil
}

func (t tree) files(spec string) ([]string, error) {
	_, sources, err := t.resolve(spec)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, s := range sources {
		if s.isFolder() {
			p, err := openFolder(s)
			if err != nil {
				return nil, err
			}
			for i := range p.files {
				files = append(files, p.file(i))
			}
			continue
		}
		if s.isList() {
			p, err := openList(s)
			if err != nil {
				return nil, err
			}
			files = append(files, s.path)
			for i := range p.files {
				files = append(files, p.file(i))
			}
			continue
		}
		for _, name := range s.files() {
			if _, err := t.regular(name); err != nil {
				return nil, err
			}
			files = append(files, name)
		}
	}
	return files, nil
}

// isFolder reports whether the source is a folder of pictures.
func (s source) isFolder() bool {
	if s.format != "" && s.format != "folder" {
		return false
	}
	info, err := s.tree.stat(s.path)
	return err == nil && info.IsDir()
}

// files returns the paths of a source that is not a folder.
func (s source) files() []string {
	if s.labels == "" {
		return []string{s.path}
	}
	return []string{s.path, s.labels}
}

// Includes reports whether [Open] reads the file at path for a DATA argument, or would read a file created there: one
// in a folder of the argument that is neither hidden nor a side file, or one that a pattern of the argument matches.
// Writing to such a path would change the data. Links are followed, so that any path of a file gives the same answer.
//
// It returns an error where the argument refers to nothing, and where a folder cannot be read.
func Includes(spec, path string) (bool, error) {
	reads, err := disk().reads(spec, path)
	if err != nil {
		return false, fmt.Errorf("files of data %q: %w", spec, err)
	}
	return reads, nil
}

func (t tree) reads(spec, path string) (bool, error) {
	_, sources, err := t.resolve(spec)
	if err != nil {
		return false, err
	}
	p, err := t.findPlace(path)
	if err != nil || p.folder == nil {
		return false, err
	}
	for _, s := range sources {
		var found bool
		switch {
		case s.isFolder():
			found, err = p.within(s)
		case s.isList():
			found, err = p.listed(s)
		default:
			found, err = p.among(s)
		}
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// place is the place of a file that exists or would be created.
type place struct {
	tree   tree
	base   string
	file   fs.FileInfo // nil where the file does not exist
	folder fs.FileInfo // nil where the folder does not exist
}

func (t tree) findPlace(path string) (place, error) {
	folder, base := t.split(path)
	p := place{tree: t, base: base}
	var err error
	if p.file, err = optional(t.stat(path)); err == nil {
		p.folder, err = optional(t.stat(folder))
	}
	return p, err
}

// optional turns the error for a missing file into nil.
func optional(info fs.FileInfo, err error) (fs.FileInfo, error) {
	switch {
	case err == nil:
		return info, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	return nil, err
}

// sameObject tells whether both describe one file or folder.
func sameObject(a, b fs.FileInfo) bool { return os.SameFile(a, b) || objects.Same(a, b) }

// is tells whether the place is the file of that name.
func (p place) is(name string) bool {
	if p.file == nil {
		return false
	}
	info, err := p.tree.stat(name)
	return err == nil && sameObject(info, p.file)
}

// in reports whether the place is directly in the folder with that name.
func (p place) in(name string) bool {
	info, err := p.tree.stat(name)
	return err == nil && sameObject(info, p.folder)
}

// among reports whether the place is one of a source's files, or one that its patterns would match.
func (p place) among(s source) (bool, error) {
	for _, name := range s.files() {
		if p.is(name) {
			return true, nil
		}
	}
	if p.file != nil {
		return false, nil // the file exists and is not among them
	}
	for _, pattern := range s.patterns {
		folders, base := p.tree.split(pattern)
		if match, err := filepath.Match(base, p.base); err != nil || !match {
			continue
		}
		for _, folder := range p.tree.expand(folders) {
			if p.in(folder) {
				return true, nil
			}
		}
	}
	return false, nil
}

// listed reports whether the place is a list or one of its pictures.
func (p place) listed(s source) (bool, error) {
	if found, err := p.among(s); found || err != nil || p.file == nil {
		return found, err
	}
	set, _, err := readList(s)
	if err != nil {
		return false, err
	}
	for i := range set.files {
		if p.is(set.file(i)) {
			return true, nil
		}
	}
	return false, nil
}

// within reports whether the place is in a folder of pictures, at any depth, as a file that Open would read.
func (p place) within(s source) (bool, error) {
	loose, classes, err := p.tree.list(s.path, "")
	if err != nil {
		return false, err
	}
	files, folders := loose, []string{""}
	for _, class := range classes {
		f, d, err := p.tree.walk(s.path, class)
		if err != nil {
			return false, err
		}
		files, folders = append(files, f...), append(folders, d...)
	}
	for _, name := range files {
		if name := p.tree.below(s.path, name); p.is(name) {
			kind, err := p.tree.sniff(name)
			if kind != picture.Unknown || err != nil {
				return err == nil, err
			}
			break
		}
	}
	if isHidden(p.base) || isSideFile(p.base) {
		return false, nil
	}
	for _, folder := range folders {
		if p.in(p.tree.below(s.path, folder)) {
			return true, nil
		}
	}
	return false, nil
}
