// Package parquetfile writes Apache Parquet files with package parquet-go, each as a whole and with its provenance in
// the metadata.
package parquetfile

import (
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/line-ood/goline/internal/atomicfile"
)

// Is tells whether a path names a Parquet file.
func Is(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".parquet") }

// groupBytes is the approximate size of a row group, the part of a file that is in memory at once.
const groupBytes = 32 << 20

// Create creates or replaces the file at path with the rows that fill passes to row. T is a struct with tags of package
// parquet. rowBytes is about the size of a row, and meta is written to the file's metadata, under keys that start with
// "goline.". Equal rows and meta give equal bytes. If fill fails, path is left as it was.
func Create[T any](path string, rowBytes int, meta map[string]string, fill func(row func(T) error) error) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, rowBytes, meta, fill) })
}

// Write is [Create] for a stream.
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
