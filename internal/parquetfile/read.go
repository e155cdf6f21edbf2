package parquetfile

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// Facts are what a Parquet file says of itself.
type Facts struct {
	Rows    int64
	Columns []string          // name and type of each column of the first level
	Meta    map[string]string // metadata of the file
}

// Inspect reads a file's facts, without its rows. A file that is no Parquet, or is cut off, is an error.
func Inspect(r io.ReaderAt, size int64) (facts Facts, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed Parquet: %v", p)
		}
	}()
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return Facts{}, err
	}
	facts = Facts{Rows: f.NumRows(), Meta: map[string]string{}}
	for _, field := range f.Schema().Fields() {
		kind := "group"
		if field.Leaf() {
			kind = field.Type().String()
		}
		if field.Repeated() {
			kind = "list of " + kind
		}
		facts.Columns = append(facts.Columns, field.Name()+" "+kind)
	}
	for _, pair := range f.Metadata().KeyValueMetadata {
		facts.Meta[pair.Key] = pair.Value
	}
	return facts, nil
}
