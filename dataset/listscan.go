package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// ListEntry is a line of a list of pictures.
type ListEntry struct {
	Path  string // as written
	Label int    // class index, -1 where it is unknown
	Line  int    // counted from 1
	// Offset is the position of the line's first byte, End that of the next line's, counted from 0.
	Offset, End int64
}

// maxListLine bounds the length of a line of a list, in bytes; real paths are shorter.
const maxListLine = 1 << 16

// ScanList reads the lines "path label" of a list of pictures one after another, with one line in memory however long
// the list is. The label follows the last white space, so that paths may contain white space. Empty lines are
// skipped. file is the list's name in errors. The lines between two offsets are a list as well.
func ScanList(file string, r io.Reader) iter.Seq2[ListEntry, error] {
	return func(yield func(ListEntry, error) bool) {
		in := bufio.NewReaderSize(r, maxListLine)
		e := ListEntry{}
		for {
			raw, err := in.ReadSlice('\n')
			if len(raw) == 0 && err == io.EOF {
				return
			}
			e.Line, e.Offset = e.Line+1, e.End
			e.End += int64(len(raw))
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				err = fmt.Errorf("%s:%d: expected a line of less than %d bytes", file, e.Line, maxListLine)
			case err != nil && err != io.EOF:
				err = fmt.Errorf("%s: %w", file, err)
			default:
				text := string(raw)
				if e.Line == 1 {
					text = strings.TrimPrefix(text, byteOrderMark)
				}
				if text = strings.TrimSpace(text); text == "" {
					continue
				}
				e.Path, e.Label, err = parseListLine(file, e.Line, text)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// parseListLine reads a line of a list that is not empty.
func parseListLine(file string, n int, line string) (path string, label int, err error) {
	at := strings.LastIndexAny(line, " \t")
	if at < 0 {
		return "", 0, fmt.Errorf("%s:%d: expected a path and a label (-1 where it is unknown), got %q", file, n,
			shorten(line))
	}
	number, err := strconv.ParseInt(line[at+1:], 10, 32)
	if err != nil || number < -1 {
		return "", 0, fmt.Errorf("%s:%d: expected a class index as label behind the path, or -1 for unknown, got %q",
			file, n, shorten(line[at+1:]))
	}
	path = strings.TrimRight(line[:at], " \t")
	if strings.ContainsRune(path, 0) {
		return "", 0, fmt.Errorf("%s:%d: expected the path of a picture, got %q", file, n, shorten(path))
	}
	return path, int(number), nil
}

// ID returns the [Dataset.ID] that the picture has when the list is opened.
func (e ListEntry) ID() string { return listID("", e.Path) }
