package dataset

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/dataset/internal/picture"
)

// maxListFile bounds the size of a list, 1 GiB.
const maxListFile = 1 << 30

// imageList is what a list file says.
type imageList struct {
	files  []string // as written
	labels []int
	lines  []int // that say it, counted from 1
}

// parseList reads the lines "path label" of a list; file is what errors call it.
func parseList(file, text string) (imageList, error) {
	var l imageList
	for e, err := range ScanList(file, strings.NewReader(text)) {
		if err != nil {
			return imageList{}, err
		}
		l.files, l.labels, l.lines = append(l.files, e.Path), append(l.labels, e.Label), append(l.lines, e.Line)
	}
	if len(l.files) == 0 {
		return l, fmt.Errorf("%s: %w", file, ErrNoImages)
	}
	return l, nil
}

// shorten shows the beginning of a text.
func shorten(text string) string {
	const shown = 100
	if len(text) > shown {
		return text[:shown] + "…"
	}
	return text
}

// readList reads the list of a source into a set of pictures, which are not looked at yet.
func readList(s source) (*pictures, imageList, error) {
	data, err := s.tree.read(s.path, maxListFile)
	if err != nil {
		return nil, imageList{}, err
	}
	l, err := parseList(s.path, string(data))
	if err != nil {
		return nil, l, err
	}
	folder, _ := s.tree.split(s.path)
	p := &pictures{tree: s.tree, name: s.name, list: s.path, root: folder, prefix: path.Dir(s.label), files: l.files,
		labels: l.labels}
	if s.root != "" {
		p.root, p.prefix = s.root, ""
	}
	if !slices.ContainsFunc(l.labels, func(label int) bool { return label >= 0 }) {
		p.labels = nil
	}
	return p, l, nil
}

// openList opens a list of pictures, each of which is looked into.
func openList(s source) (*pictures, error) {
	const atOnce = 16 // reads under way: opening files on a network is slow
	p, l, err := readList(s)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(p.files))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range p.files {
		g.Go(func() error {
			if errs[i] = p.tree.err(); errs[i] == nil {
				errs[i] = p.look(i)
			}
			return nil
		})
	}
	g.Wait()
	bad := 0
	var first error
	for i, err := range errs {
		if err == nil {
			continue
		}
		if bad++; bad == 1 {
			first = fmt.Errorf("%s:%d: %w", s.path, l.lines[i], err)
		}
	}
	if bad > 1 {
		return nil, fmt.Errorf("%w (and %d more lines of %d)", first, bad-1, len(p.files))
	}
	if bad > 0 {
		return nil, first
	}
	return p, nil
}

// look fails unless file i is a picture, going by how it begins.
func (p *pictures) look(i int) error {
	name := p.file(i)
	if !p.tree.native && !fs.ValidPath(name) {
		return fmt.Errorf("%s: %w: expected a path below the root", p.files[i], fs.ErrInvalid)
	}
	kind, err := p.tree.sniff(name)
	switch {
	case err != nil:
		return err
	case kind == picture.Unknown:
		return fmt.Errorf("%s is not a JPEG, PNG, GIF, BMP or WebP picture", name)
	}
	return nil
}

// findList reads "list+root", where list is a path or a pattern and root a folder; nil if the path is no such pair.
// That plus sign counts which separates two things that exist.
func (t tree) findList(path string) ([]source, error) {
	var found []source
	var where []string
	var half error // what to say if no plus sign separates two things that exist
	for i, c := range path {
		if c != '+' {
			continue
		}
		lists, root := t.expand(path[:i]), path[i+1:]
		info, err := t.stat(root)
		switch {
		case len(lists) == 0 || root == "":
			continue
		case err != nil:
			half = fmt.Errorf("%s exists, but %s does not: %w", path[:i], root, fs.ErrNotExist)
			continue
		case !info.IsDir():
			half = fmt.Errorf("%s: expected a folder of the pictures of %s", root, path[:i])
			continue
		}
		where = append(where, fmt.Sprintf("%s and %s", path[:i], root))
		found = nil
		for _, list := range lists {
			found = append(found, source{format: "list", path: list, root: root, patterns: []string{path[:i]}})
		}
	}
	if len(where) > 1 {
		return nil, fmt.Errorf("more than one way to read list+folder: %s", strings.Join(where, "; "))
	}
	if found == nil && half != nil {
		return nil, half
	}
	return found, nil
}

// isList tells whether the source is a list of pictures.
func (s source) isList() bool {
	if s.format != "" {
		return s.format == "list"
	}
	format, err := s.tree.detect(s.path)
	return err == nil && format == "list"
}

// hasListName tells by the name what can be a list.
func hasListName(name string) bool { return strings.EqualFold(filepath.Ext(name), ".txt") }
