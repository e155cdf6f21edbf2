package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/npyz"
)

// How a file of scores names the extent of its shard: by the start of its first line, or by an array.
const (
	csvShard   = "# goline shard "
	jsonlShard = `{"goline_shard":`
	npzShard   = "shard"
)

func extentJSON(e *dataset.Extent) string {
	text, _ := json.Marshal(e) // numbers and strings, which cannot fail
	return string(text)
}

// mergeLines writes the CSV or JSONL scores of all images from those of the shards, and returns the number of images.
func mergeLines(out string, parts []string) (n int, err error) {
	readers := make([]*bufio.Reader, len(parts))
	extents := make([]dataset.Extent, len(parts))
	headers := make([]string, len(parts))
	for i, part := range parts {
		f, err := fsfile.OpenRegular(part)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		readers[i] = bufio.NewReaderSize(f, 1<<16)
		first, err := readers[i].ReadString('\n')
		text, isCSV := strings.CutPrefix(strings.TrimSuffix(first, "\n"), csvShard)
		if !isCSV {
			object, ok := strings.CutPrefix(strings.TrimSuffix(first, "\n"), jsonlShard)
			if !ok || err != nil {
				return 0, fmt.Errorf("%s: expected scores that were written with --shard, got another first line", part)
			}
			text = strings.TrimSuffix(object, "}")
		}
		if err := json.Unmarshal([]byte(text), &extents[i]); err != nil {
			return 0, fmt.Errorf("%s: first line: %w", part, err)
		}
		if isCSV {
			if headers[i], err = readers[i].ReadString('\n'); err != nil {
				return 0, fmt.Errorf("%s: expected a line of column names: %w", part, err)
			}
		}
		if headers[i] != headers[0] {
			return 0, fmt.Errorf("%s has the columns %.100q, but %s has %.100q", part, headers[i], parts[0], headers[0])
		}
	}
	order, err := dataset.OrderShards(extents, parts)
	if err != nil {
		return 0, err
	}
	return imagesOf(extents), atomicfile.Write(out, func(w io.Writer) error {
		if _, err := io.WriteString(w, headers[0]); err != nil {
			return err
		}
		for _, i := range order {
			if err := copyLines(w, readers[i], extents[i].Images); err != nil {
				return fmt.Errorf("%s: %w", parts[i], err)
			}
		}
		return nil
	})
}

// copyLines copies n rows. A row of CSV may span several lines inside quotes.
func copyLines(w io.Writer, r *bufio.Reader, n int) error {
	rows, quotes := 0, 0
	for {
		text, err := r.ReadSlice('\n')
		if len(text) > 0 {
			if _, err := w.Write(text); err != nil {
				return err
			}
			quotes += strings.Count(string(text), `"`)
			if text[len(text)-1] == '\n' && quotes%2 == 0 {
				rows++
			}
		}
		switch {
		case err == io.EOF && len(text) == 0 && rows == n:
			return nil
		case err == io.EOF:
			return fmt.Errorf("expected %d rows, got %d or a part of one more", n, rows)
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// imagesOf returns the number of images in all shards.
func imagesOf(extents []dataset.Extent) (n int) {
	for _, e := range extents {
		n += e.Images
	}
	return n
}

// perImage lists the arrays in an npz file of scores that have one element for each image.
var perImage = []string{"ids", "scores", "predictions", "labels", "ood", "p_values"}

// mergeScoresNpz writes the npz scores of all images from those of the shards, and returns the number of images.
func mergeScoresNpz(out string, parts []string, archives []*npyz.Archive) (n int, err error) {
	extents := make([]dataset.Extent, len(parts))
	for i, a := range archives {
		text, err := a.String(npzShard)
		if err == nil {
			err = json.Unmarshal([]byte(text), &extents[i])
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", parts[i], err)
		}
		if !slices.Equal(a.Names(), archives[0].Names()) {
			return 0, fmt.Errorf("%s has the arrays %v, but %s has %v", parts[i], a.Names(), parts[0],
				archives[0].Names())
		}
	}
	order, err := dataset.OrderShards(extents, parts)
	if err != nil {
		return 0, err
	}
	var arrays []npyz.Named
	for _, name := range archives[0].Names() {
		if name == npzShard {
			continue
		}
		whole, err := archives[order[0]].Get(name)
		if err != nil {
			return 0, err
		}
		if slices.Contains(perImage, name) {
			whole = npyz.Array{}
			for _, i := range order {
				part, err := archives[i].Get(name)
				if err == nil {
					err = part.CheckShape(extents[i].Images)
				}
				if err == nil {
					err = appendArray(&whole, part)
				}
				if err != nil {
					return 0, fmt.Errorf("%s: %s: %w", parts[i], name, err)
				}
			}
		}
		arrays = append(arrays, npyz.Named{Name: name, Array: whole})
	}
	return imagesOf(extents), npyz.WriteNpz(out, npyz.Stored, arrays...)
}

// appendArray appends the elements of a one-dimensional array to another.
func appendArray(to *npyz.Array, part npyz.Array) error {
	var err error
	switch v := part.Data.(type) {
	case []string:
		*to, err = appended(*to, v)
	case []float64:
		*to, err = appended(*to, v)
	case []int64:
		*to, err = appended(*to, v)
	case []bool:
		*to, err = appended(*to, v)
	default:
		err = fmt.Errorf("expected strings, numbers or truth values, got %s", part.TypeName())
	}
	return err
}

func appended[T npyz.Element](to npyz.Array, v []T) (npyz.Array, error) {
	if to.Data == nil {
		return npyz.New(slices.Clone(v)), nil
	}
	before, ok := to.Data.([]T)
	if !ok {
		return to, fmt.Errorf("it is of another type than in the shards before: %s", to.TypeName())
	}
	return npyz.New(append(before, v...)), nil
}

// isLines tells whether a file of scores is CSV or JSONL.
func isLines(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".csv" || ext == ".jsonl"
}
