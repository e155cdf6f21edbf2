package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/objects"
)

// formats lists the prefixes of DATA arguments.
var formats = []string{"cifar10", "cifar100", "folder", "idx", "list", "npy", "npz", "tar"}

// source is one file or folder to open.
type source struct {
	tree   tree
	format string // one of formats, "" to be detected
	path   string
	labels string // second file of an idx pair
	root   string // folder to which the paths of a list are relative, "" for the list's own folder
	name   string // see Dataset.Name
	label  string // beginning of IDs, "" for a single folder
	// patterns are the patterns by which path and labels were found, if any.
	patterns []string
}

// splitSpec splits a DATA argument into its format prefix, "" for none, and its path.
func (t tree) splitSpec(spec string) (format, path string, err error) {
	if spec == "" {
		return "", "", errors.New("expected an argument, got none")
	}
	if t.isURL(spec) {
		return "", spec, nil
	}
	prefix, rest, found := strings.Cut(spec, ":")
	// A single letter is a drive, and a prefix with a path separator is part of a path.
	if !found || len(prefix) < 2 || strings.ContainsAny(prefix, `/\`) {
		return "", spec, nil
	}
	if !slices.Contains(formats, prefix) {
		if t.exists(spec) {
			return "", spec, nil
		}
		return "", "", fmt.Errorf("%w %q: expected one of %s", ErrPrefix, prefix, strings.Join(formats, ", "))
	}
	if rest == "" {
		return "", "", fmt.Errorf("expected a path behind %q", prefix+":")
	}
	return prefix, rest, nil
}

// resolve returns the path or pattern of a DATA argument, and the files that it refers to, in the order of reading.
func (t tree) resolve(spec string) (path string, sources []source, err error) {
	format, path, err := t.splitSpec(spec)
	if err != nil {
		return "", nil, err
	}
	if sources, err = t.find(format, path); err != nil {
		return "", nil, err
	}
	for i := range sources {
		sources[i].tree, sources[i].name = t, path
	}
	return path, sources, nil
}

// find returns the files that a path or pattern refers to.
func (t tree) find(format, path string) ([]source, error) {
	_, missing := t.stat(path)
	if missing == nil {
		return []source{{format: format, path: path}}, nil
	}
	if format == "" || format == "list" {
		if lists, err := t.findList(path); lists != nil || err != nil && format == "list" {
			return lists, err
		}
	}
	if format == "" || format == "idx" {
		if pairs, err := t.findPairs(path); pairs != nil || err != nil {
			return pairs, err
		}
	}
	if isPattern(path) {
		matches, err := t.glob(path)
		if err != nil {
			return nil, err
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("no file or folder matches %s: %w", path, fs.ErrNotExist)
		}
		sources := make([]source, len(matches))
		for i, m := range matches {
			sources[i] = source{format: format, path: m, patterns: []string{path}}
		}
		return sources, nil
	}
	if !t.native && !fs.ValidPath(path) {
		return nil, fmt.Errorf("%s: %w: expected a path from the root, with slashes and without . and .. in it", path,
			fs.ErrInvalid)
	}
	if !errors.Is(missing, fs.ErrNotExist) {
		return nil, missing
	}
	tried := "formats tried: " + strings.Join(formats, ", ")
	if format != "" {
		tried = "format tried: " + format
	}
	if format == "idx" && !strings.Contains(path, "+") {
		tried += ", as images without labels"
	}
	return nil, fmt.Errorf("%s: %w (%s)", path, fs.ErrNotExist, tried)
}

// findPairs reads "images+labels", where each side is a path or a pattern. It returns nil if the path is not such a
// pair. File names may contain plus signs: the separating one has existing files on both sides.
func (t tree) findPairs(path string) ([]source, error) {
	var found []source
	var where []string
	var half error // error if no plus sign separates existing files
	for i, c := range path {
		if c != '+' {
			continue
		}
		images, labels := t.expand(path[:i]), t.expand(path[i+1:])
		switch {
		case len(images) > 0 && len(labels) == 0:
			half = fmt.Errorf("%s exists, but %s does not: %w", path[:i], path[i+1:], fs.ErrNotExist)
		case len(images) == 0 && len(labels) > 0:
			half = fmt.Errorf("%s exists, but %s does not: %w", path[i+1:], path[:i], fs.ErrNotExist)
		}
		if len(images) == 0 || len(labels) == 0 {
			continue
		}
		where = append(where, fmt.Sprintf("%s and %s", path[:i], path[i+1:]))
		if len(images) != len(labels) {
			return nil, fmt.Errorf("expected as many labels files as images files, got %s with %d and %s with %d",
				path[:i], len(images), path[i+1:], len(labels))
		}
		found = make([]source, len(images))
		for k := range images {
			found[k] = source{format: "idx", path: images[k], labels: labels[k],
				patterns: []string{path[:i], path[i+1:]}}
		}
	}
	if len(where) > 1 {
		return nil, fmt.Errorf("more than one way to read images+labels: %s", strings.Join(where, "; "))
	}
	if found == nil && half != nil {
		return nil, half
	}
	return found, nil
}

// expand returns the path if it exists, otherwise the paths that it matches as a pattern.
func (t tree) expand(path string) []string {
	switch {
	case path == "":
		return nil
	case t.exists(path):
		return []string{path}
	case !isPattern(path):
		return nil
	}
	matches, err := t.glob(path)
	if err != nil {
		return nil
	}
	return matches
}

// labelSources sets the beginning of the IDs of each source. For a single file it is the base name. For several files
// it is the path below the folder before the pattern, so that IDs are distinct and do not depend on where the data
// are.
func (t tree) labelSources(sources []source, pattern string) {
	if len(sources) == 1 && sources[0].path == sources[0].name {
		if info, err := t.stat(sources[0].path); err == nil && !info.IsDir() {
			_, sources[0].label = t.split(sources[0].path)
		}
		return
	}
	base := pattern
	for isPattern(base) || !t.exists(base) {
		parent, _ := t.split(base)
		if parent == base {
			break
		}
		base = parent
	}
	for i := range sources {
		sources[i].label = t.relative(base, sources[i].path)
	}
}

// isPattern tells whether a path is a pattern. The parameters of a store in a URL are none.
func isPattern(path string) bool {
	if objects.IsURL(path) {
		_, path = objects.Split(path)
	}
	return strings.ContainsAny(path, `*?[`)
}
