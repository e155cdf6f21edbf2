package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// formats lists the names that a DATA argument can begin with.
var formats = []string{"cifar10", "cifar100", "folder", "idx", "npy", "npz"}

// source is one file or folder to open.
type source struct {
	format string // one of formats, "" to be detected
	path   string
	labels string // second file of an idx pair
	name   string // see Dataset.Name
	label  string // what IDs begin with, "" for a folder that stands alone
}

// splitSpec takes the format prefix off a DATA argument.
func splitSpec(spec string) (format, path string, err error) {
	if spec == "" {
		return "", "", errors.New("the argument is empty")
	}
	prefix, rest, found := strings.Cut(spec, ":")
	// One letter is a drive, and what contains a separator is a path.
	if !found || len(prefix) < 2 || strings.ContainsAny(prefix, `/\`) {
		return "", spec, nil
	}
	if !slices.Contains(formats, prefix) {
		if exists(spec) {
			return "", spec, nil
		}
		return "", "", fmt.Errorf("unknown format %q, the formats are %s", prefix, strings.Join(formats, ", "))
	}
	if rest == "" {
		return "", "", fmt.Errorf("no path behind %q", prefix+":")
	}
	return prefix, rest, nil
}

// resolve finds the files that a path or pattern stands for, in the order of reading.
func resolve(format, path string) ([]source, error) {
	if exists(path) {
		return []source{{format: format, path: path, name: path}}, nil
	}
	if format == "" || format == "idx" {
		if pairs, err := resolvePair(path); pairs != nil || err != nil {
			return pairs, err
		}
	}
	if isPattern(path) {
		matches, err := glob(path)
		if err != nil {
			return nil, err
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("no file or folder matches %s: %w", path, fs.ErrNotExist)
		}
		sources := make([]source, len(matches))
		for i, m := range matches {
			sources[i] = source{format: format, path: m, name: path}
		}
		return sources, nil
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

// resolvePair reads "images+labels", where each side is a path or a pattern; nil if the path is no such pair.
// File names may contain plus signs: that one counts which separates two things that exist.
func resolvePair(path string) ([]source, error) {
	var found []source
	var where []string
	var half error // what to say if no plus sign separates two things that exist
	for i, c := range path {
		if c != '+' {
			continue
		}
		images, labels := expand(path[:i]), expand(path[i+1:])
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
			return nil, fmt.Errorf("%s matches %d files, but %s matches %d", path[:i], len(images), path[i+1:], len(labels))
		}
		found = make([]source, len(images))
		for k := range images {
			found[k] = source{format: "idx", path: images[k], labels: labels[k], name: path}
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

// expand returns the path if it exists, or else what matches it as a pattern.
func expand(path string) []string {
	switch {
	case path == "":
		return nil
	case exists(path):
		return []string{path}
	case !isPattern(path):
		return nil
	}
	matches, err := glob(path)
	if err != nil {
		return nil
	}
	return matches
}

// glob is filepath.Glob in byte order.
func glob(pattern string) ([]string, error) {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	slices.Sort(matches)
	return matches, nil
}

// labelSources says how IDs call each source: the base name of a file that stands alone, for several the path below
// the folder in front of the pattern, so that IDs are distinct and do not depend on where the data lie.
func labelSources(sources []source, pattern string) {
	if len(sources) == 1 && sources[0].path == sources[0].name {
		if info, err := os.Stat(sources[0].path); err == nil && !info.IsDir() {
			sources[0].label = filepath.Base(sources[0].path)
		}
		return
	}
	base := pattern
	for isPattern(base) || !exists(base) {
		parent := filepath.Dir(base)
		if parent == base {
			break
		}
		base = parent
	}
	for i := range sources {
		s := &sources[i]
		s.label = filepath.ToSlash(s.path)
		if rel, err := filepath.Rel(base, s.path); err == nil {
			s.label = filepath.ToSlash(rel)
		}
	}
}

func isPattern(path string) bool { return strings.ContainsAny(path, `*?[`) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
