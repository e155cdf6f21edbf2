// Package listing writes the names of pictures in a store to a list file, as they come, so that what was listed is kept
// where the work is ended in between: names go to FILE.part, and FILE.mark says where the store goes on, and up to
// which byte FILE.part holds what came before. Memory is that of a page.
package listing

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/objects"
)

// Endings of the files of a list that is not finished.
const (
	PartEnding = ".part"
	MarkEnding = ".mark"
)

// State says how far a list has come.
type State struct {
	URL      string `json:"url"`      // folder that is listed
	Mark     []byte `json:"mark"`     // of the store, nil at the beginning and at the end
	Bytes    int64  `json:"bytes"`    // of names
	Pictures int    `json:"pictures"` // names written
	Others   int    `json:"others"`   // objects left out
}

// Write lists the pictures below a URL, told by the endings of their names, into the file at path: "name -1", as a list
// of pictures has it, with names relative to the URL in the order of the store. It goes on where an earlier call for
// the same URL and path ended, whatever ended it, and the result has the same bytes. page is called after each page and
// may be nil.
func Write(ctx context.Context, url, path string, page func(State)) (State, error) {
	if page == nil {
		page = func(State) {}
	}
	s, resumed, err := load(url, path+MarkEnding)
	if err != nil {
		return s, err
	}
	f, err := os.OpenFile(path+PartEnding, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if err := cut(f, s.Bytes); err != nil {
		return s, fmt.Errorf("%s: %w", path+PartEnding, err)
	}
	if !resumed || s.Mark != nil {
		if err := s.list(ctx, f, path+MarkEnding, page); err != nil {
			return s, err
		}
	}
	if s.Pictures == 0 {
		return s, errors.Join(fmt.Errorf("%s: no object below it has the name of a picture (.jpg, .jpeg, .png, .gif, "+
			".bmp, .webp)", url), f.Close(), os.Remove(path+PartEnding), os.Remove(path+MarkEnding))
	}
	if err := f.Close(); err != nil {
		return s, err
	}
	if err := os.Rename(path+PartEnding, path); err != nil {
		return s, err
	}
	return s, os.Remove(path + MarkEnding)
}

// load reads the state of a list, that of the beginning where there is none.
func load(url, mark string) (s State, resumed bool, err error) {
	data, err := os.ReadFile(mark)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return State{URL: url}, false, nil
	case err != nil:
		return s, false, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, false, fmt.Errorf("%s: %w", mark, err)
	}
	if !objects.SameURL(s.URL, url) {
		return s, false, fmt.Errorf("%s is of a list of %s that was not finished: expected %s; remove it to begin anew",
			mark, s.URL, url)
	}
	return s, true, nil
}

// cut drops what was written after the latest mark, and fails where less is there.
func cut(f *os.File, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("expected %d bytes of names, got %d", size, info.Size())
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = f.Seek(size, io.SeekStart)
	return err
}

// pagesPerMark is how many pages of names are written before a mark, which waits for the disk.
const pagesPerMark = 20

// list writes pages of names, and from time to time the mark.
func (s *State) list(ctx context.Context, f *os.File, mark string, page func(State)) error {
	next, pages := *s, 0 // s is what the mark says
	err := objects.List(ctx, s.URL, s.Mark, func(entries []objects.Entry, more []byte) error {
		w := bufio.NewWriter(f)
		for _, e := range entries {
			if !isPicture(e.Key) {
				next.Others++
				continue
			}
			n, err := fmt.Fprintf(w, "%s -1\n", e.Key)
			if err != nil {
				return err
			}
			next.Pictures++
			next.Bytes += int64(n)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		next.Mark = more
		if pages++; pages%pagesPerMark > 0 && more != nil {
			page(next)
			return nil
		}
		if err := f.Sync(); err != nil { // before the mark that counts what it holds
			return err
		}
		err := atomicfile.Write(mark, func(w io.Writer) error { return json.NewEncoder(w).Encode(next) })
		if err != nil {
			return err
		}
		*s = next
		page(next)
		return nil
	})
	return err
}

// isPicture tells by the name what is one, and can stand in a list.
func isPicture(name string) bool {
	if name != strings.TrimSpace(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp":
		return !strings.HasPrefix(path.Base(name), ".")
	}
	return false
}
