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

// imageList is the content of a list file.
type imageList struct {
	files  []string // as written
	labels []int
	lines  []int // numbers of their lines, counted from 1
}

// parseList reads the lines "path label" of a list; file is the list's name in errors.
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

// shorten returns the beginning of a long text.
func shorten(text string) string {
	const shown = 100
	if len(text) > shown {
		return text[:shown] + "…"
	}
	return text
}

// readList reads the list of a source into a set of pictures whose files are not checked yet.
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

// openList opens a list of pictures and checks the beginning of each file.
func openList(s source) (*pictures, error) {
	const atOnce = 16 // number of concurrent reads: opening files on a network is slow
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

// look returns an error unless file i begins like a picture.
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

// findList reads "list+root", where list is a path or a pattern and root a folder. It returns nil if the path is not
// such a pair. The separating plus sign is one with existing files or folders on both sides.
func (t tree) findList(path string) ([]source, error) {
	var found []source
	var where []string
	var half error // error if no plus sign separates an existing list and an existing folder
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

// isList reports whether the source is a list of pictures.
func (s source) isList() bool {
	if s.format != "" {
		return s.format == "list"
	}
	format, err := s.tree.detect(s.path)
	return err == nil && format == "list"
}

// hasListName reports whether a file can be a list by its name.
func hasListName(name string) bool { return strings.EqualFold(filepath.Ext(name), ".txt") }
