package objects

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// Stat describes the object at a URL, or the folder that objects lie below. A bucket without objects is a folder.
func Stat(url string) (fs.FileInfo, error) {
	s, key, err := open(url)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	isFolder := strings.HasSuffix(key, "/")
	if key = strings.TrimSuffix(key, "/"); key != "" && !isFolder {
		info, err := s.Stat(ctx, key)
		if err == nil {
			return status{path.Base(key), url, info, false}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, blame("stat", url, err)
		}
	}
	page, err := s.List(ctx, folder(key), false, nil)
	if err != nil {
		return nil, blame("stat", url, err)
	}
	if key != "" && len(page.Entries) == 0 {
		return nil, blame("stat", url, fs.ErrNotExist)
	}
	return status{path.Base(key), url, Info{}, true}, nil
}

// folder is the prefix of what lies in a folder.
func folder(key string) string {
	if key == "" {
		return ""
	}
	return key + "/"
}

// ReadDir lists the folder at a URL, in byte order.
func ReadDir(url string) ([]fs.DirEntry, error) {
	s, key, err := open(url)
	if err != nil {
		return nil, err
	}
	prefix := folder(strings.TrimSuffix(key, "/"))
	entries, err := list(s, prefix)
	if err != nil {
		return nil, blame("list", url, err)
	}
	out := make([]fs.DirEntry, 0, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimPrefix(e.Key, prefix), "/")
		if name != "" { // an empty object stands for the folder itself in some stores
			out = append(out, fs.FileInfoToDirEntry(status{name, Join(url, name), e.Info, e.Folder}))
		}
	}
	return out, nil
}

// list returns all pages of what has a prefix, folders as such.
func list(s Store, prefix string) ([]Entry, error) {
	var out []Entry
	var mark []byte
	for {
		page, err := s.List(context.Background(), prefix, false, mark)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Entries...)
		if mark = page.Next; mark == nil {
			return out, nil
		}
	}
}

// Glob returns the URLs that match a pattern, whose parts are those of [path.Match]; the bucket is no pattern.
func Glob(pattern string) ([]string, error) {
	s, key, err := open(pattern)
	if err != nil {
		return nil, err
	}
	bucket, _ := Split(pattern)
	found := []string{""} // keys of folders, without slashes at their ends
	parts := strings.Split(key, "/")
	for i, part := range parts {
		last := i == len(parts)-1
		literal := part
		if at := strings.IndexAny(part, `*?[\`); at >= 0 {
			literal = part[:at]
		}
		if literal == part && !last {
			for k := range found {
				found[k] = path.Join(found[k], part)
			}
			continue
		}
		var next []string
		for _, f := range found {
			entries, err := list(s, folder(f)+literal)
			if err != nil {
				return nil, blame("list", pattern, err)
			}
			for _, e := range entries {
				name := strings.TrimSuffix(strings.TrimPrefix(e.Key, folder(f)), "/")
				ok, err := path.Match(part, name)
				if err != nil {
					return nil, blame("list", pattern, err)
				}
				if ok && (e.Folder || last) {
					next = append(next, strings.TrimSuffix(e.Key, "/"))
				}
			}
		}
		found = next
	}
	for i, f := range found {
		found[i] = bucket + "/" + f
	}
	return found, nil
}

// List calls page with all objects below the folder at a URL, page by page in byte order, from a continuation mark on,
// nil for the beginning. Keys are relative to the URL. next is the mark that goes on after the page, nil at the end.
func List(ctx context.Context, url string, mark []byte, page func(entries []Entry, next []byte) error) error {
	s, key, err := open(url)
	if err != nil {
		return err
	}
	prefix := folder(strings.TrimSuffix(key, "/"))
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.List(ctx, prefix, true, mark)
		if err != nil {
			return blame("list", url, err)
		}
		entries := p.Entries[:0]
		for _, e := range p.Entries {
			if e.Key = strings.TrimPrefix(e.Key, prefix); e.Key != "" && !e.Folder {
				entries = append(entries, e)
			}
		}
		if err := page(entries, p.Next); err != nil {
			return err
		}
		if mark = p.Next; mark == nil {
			return nil
		}
	}
}
