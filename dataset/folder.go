package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/dataset/internal/picture"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/objects"
)

// pictures is a set of picture files.
type pictures struct {
	tree    tree
	name    string
	list    string   // file that lists the files, "" for a folder
	root    string   // folder to which the files are relative
	prefix  string   // beginning of the IDs
	files   []string // relative, with slashes
	labels  []int
	classes []string
}

func (p *pictures) Name() string      { return p.name }
func (p *pictures) Len() int          { return len(p.files) }
func (p *pictures) Labels() []int     { return p.labels }
func (p *pictures) Classes() []string { return p.classes }
func (p *pictures) Close() error      { return nil }

func (p *pictures) ID(i int) string {
	return listID(p.prefix, p.files[i])
}

// listID is the ID of a listed file; prefix comes before relative paths.
func listID(prefix, file string) string {
	if path.IsAbs(file) || objects.IsURL(file) {
		return text(file)
	}
	return text(path.Join(prefix, file))
}

func (p *pictures) file(i int) string {
	if p.tree.native && filepath.IsAbs(p.files[i]) || p.tree.isURL(p.files[i]) {
		return p.files[i]
	}
	return p.tree.below(p.root, p.files[i])
}

func (p *pictures) Image(i int) (Image, error) {
	return p.imageInto(i, newScratch(context.Background(), nil))
}

// maxPictureFile bounds the size of a picture file, 1 GiB.
const maxPictureFile = 1 << 30

func (p *pictures) imageInto(i int, s *scratch) (Image, error) {
	if err := checkIndex(p, i); err != nil {
		return Image{}, err
	}
	name := p.file(i)
	data, err := p.tree.read(name, maxPictureFile)
	if err != nil {
		return Image{}, err
	}
	img, err := s.decode(data)
	if err != nil {
		return Image{}, fmt.Errorf("%s: %w", name, err)
	}
	return img, nil
}

// openFolder opens a folder of classes, a flat folder, or a single picture.
func openFolder(s source) (*pictures, error) {
	info, err := s.tree.stat(s.path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		folder, base := s.tree.split(s.path)
		p := &pictures{tree: s.tree, name: s.name, root: folder, prefix: path.Dir(s.label), files: []string{base}}
		switch kept, err := p.sift(p.files, s.path); {
		case err != nil:
			return nil, err
		case len(kept) == 0:
			return nil, fmt.Errorf("%s is not a picture", s.path)
		}
		return p, nil
	}
	p := &pictures{tree: s.tree, name: s.name, root: s.path, prefix: s.label}
	loose, classes, err := p.tree.list(s.path, "")
	if err != nil {
		return nil, err
	}
	kept, err := p.sift(loose, s.path)
	switch {
	case err != nil:
		return nil, err
	case len(classes) > 0 && len(kept) > 0:
		return nil, fmt.Errorf("%s: expected class folders or loose pictures, got both: such as %s and %s",
			s.path, classes[0], loose[kept[0]])
	case len(classes) > 0:
		if err := p.readClasses(classes); err != nil {
			return nil, err
		}
		return p, nil
	case len(kept) == 0:
		return nil, fmt.Errorf("%s: %w", s.path, ErrNoImages)
	}
	for _, k := range kept {
		p.files = append(p.files, loose[k])
	}
	return p, nil
}

// readClasses finds the pictures of each class folder.
func (p *pictures) readClasses(classes []string) error {
	var files []string
	var labels []int
	for i, class := range classes {
		found, _, err := p.tree.walk(p.root, class)
		if err != nil {
			return err
		}
		files = append(files, found...)
		labels = append(labels, slices.Repeat([]int{i}, len(found))...)
	}
	kept, err := p.sift(files, p.root)
	if err != nil {
		return err
	}
	counts := make([]int, len(classes))
	for _, k := range kept {
		p.files, p.labels = append(p.files, files[k]), append(p.labels, labels[k])
		counts[labels[k]]++
	}
	if i := slices.Index(counts, 0); i >= 0 {
		return fmt.Errorf("class folder %s holds no pictures", p.tree.below(p.root, classes[i]))
	}
	for _, class := range classes {
		p.classes = append(p.classes, text(class))
	}
	return nil
}

// list returns the files and folders in a folder that are not hidden, relative to root, in byte order.
func (t tree) list(root, rel string) (files, folders []string, err error) {
	dir := t.below(root, rel)
	entries, err := fs.ReadDir(t.FS, dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if isHidden(e.Name()) {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := t.stat(t.below(dir, e.Name()))
			if err != nil {
				return nil, nil, fmt.Errorf("symbolic link: %w", err)
			}
			isDir = info.IsDir()
		}
		if isDir {
			folders = append(folders, path.Join(rel, e.Name()))
		} else {
			files = append(files, path.Join(rel, e.Name()))
		}
	}
	slices.Sort(files)
	slices.Sort(folders)
	return files, folders, nil
}

// maxNesting bounds how deep folders may be nested. Without it a cycle of links that is not recognised would not end.
const maxNesting = 255

// walk returns all files and folders below a class folder. Files are in torchvision's order: folders sorted by their
// whole path, and the files of each folder by name. A folder to which several links lead is read once, under its
// first path in depth-first order.
func (t tree) walk(root, class string) (files, folders []string, err error) {
	found := map[string][]string{}
	var seen folderSet
	var visit func(rel string, depth int) error
	visit = func(rel string, depth int) error {
		if err := t.err(); err != nil {
			return err
		}
		info, err := t.stat(t.below(root, rel))
		if err != nil {
			return err
		}
		if !seen.add(info) {
			return nil
		}
		if depth > maxNesting {
			return fmt.Errorf("%s: expected at most %d folders in each other", t.below(root, class), maxNesting)
		}
		files, inner, err := t.list(root, rel)
		if err != nil {
			return err
		}
		found[rel] = files
		for _, f := range inner {
			if err := visit(f, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	top, err := t.stat(root)
	if err != nil {
		return nil, nil, err
	}
	seen.add(top)
	if err := visit(class, 1); err != nil {
		return nil, nil, err
	}
	folders = slices.Sorted(maps.Keys(found))
	for _, f := range folders {
		files = append(files, found[f]...)
	}
	return files, folders, nil
}

// folderSet is a set of folders, compared as by os.SameFile.
type folderSet struct {
	by map[fsfile.Stamp][]fs.FileInfo
}

// add adds a folder and reports whether it is new.
func (s *folderSet) add(info fs.FileInfo) bool {
	stamp, _ := fsfile.StampOf(info) // a folder has one stamp, but several folders can have the same stamp
	for _, other := range s.by[stamp] {
		if os.SameFile(other, info) {
			return false
		}
	}
	if s.by == nil {
		s.by = map[fsfile.Stamp][]fs.FileInfo{}
	}
	s.by[stamp] = append(s.by[stamp], info)
	return true
}

// sift reads the beginning of the files and returns the indices of those that are pictures. It leaves out side files
// (see [Open]); any other file is an error, in which place is the folder.
func (p *pictures) sift(files []string, place string) ([]int, error) {
	const (
		atOnce = 16 // number of concurrent reads: opening files on a network is slow
		named  = 3  // number of files that an error names
	)
	kinds, errs := make([]picture.Format, len(files)), make([]error, len(files))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, name := range files {
		g.Go(func() error {
			if errs[i] = p.tree.err(); errs[i] != nil {
				return nil
			}
			kinds[i], errs[i] = p.tree.sniff(p.tree.below(p.root, name))
			return nil
		})
	}
	g.Wait()
	var kept []int
	var others []string
	for i, name := range files {
		switch {
		case errs[i] != nil:
			return nil, errs[i]
		case kinds[i] != picture.Unknown:
			kept = append(kept, i)
		case !isSideFile(name):
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		more := ""
		if len(others) > named {
			more = fmt.Sprintf(" and %d more", len(others)-named)
		}
		return nil, fmt.Errorf("%s: %d of %d files are not JPEG, PNG, GIF, BMP or WebP pictures: %s%s",
			place, len(others), len(files), strings.Join(others[:min(named, len(others))], ", "), more)
	}
	return kept, nil
}

// sniff returns the format of a picture file; Unknown for pipes and the like, which it does not open.
func (t tree) sniff(name string) (picture.Format, error) {
	info, err := t.stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return picture.Unknown, err
	}
	f, err := t.Open(name)
	if err != nil {
		return picture.Unknown, err
	}
	defer f.Close()
	head := make([]byte, picture.SniffLen)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return picture.Unknown, fmt.Errorf("%s: %w", name, err)
	}
	return picture.Sniff(head[:n]), nil
}

// isHidden reports whether a file is hidden by its name.
func isHidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// isSideFile reports whether a file, by its name, is one that may lie beside pictures.
func isSideFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt", ".csv", ".json", ".md":
		return true
	}
	return strings.EqualFold(path.Base(name), "Thumbs.db")
}
