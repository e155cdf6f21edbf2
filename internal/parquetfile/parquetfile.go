// Package parquetfile writes Apache Parquet files as a whole, with what they come from in their metadata, by package
// parquet-go.
package parquetfile

import (
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/line-ood/goline/internal/atomicfile"
)

// Is tells whether a path names a Parquet file.
func Is(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".parquet") }

// groupBytes is about how much of a file is in memory at once: a row group.
const groupBytes = 32 << 20

// Create creates or replaces the file at path with the rows that fill hands on. T is a struct with tags of package
// parquet, rowBytes about what a row takes, and meta what the file says of itself under keys that begin with "goline.".
// The same rows and meta give the same bytes. When fill fails, path is left as it was.
func Create[T any](path string, rowBytes int, meta map[string]string, fill func(row func(T) error) error) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, rowBytes, meta, fill) })
}

// Write is [Create] to a stream.
func Write[T any](w io.Writer, rowBytes int, meta map[string]string, fill func(row func(T) error) error) error {
	options := []parquet.WriterOption{
		parquet.CreatedBy("goline", "1", ""), parquet.MaxRowsPerRowGroup(int64(max(1, groupBytes/max(1, rowBytes)))),
		parquet.Compression(&parquet.Snappy),
	}
	for key, value := range meta {
		options = append(options, parquet.KeyValueMetadata("goline."+key, value))
	}
	out := parquet.NewGenericWriter[T](w, options...)
	one := make([]T, 1)
	err := fill(func(row T) error {
		one[0] = row
		_, err := out.Write(one)
		return err
	})
	if err != nil {
		return err
	}
	return out.Close()
}
