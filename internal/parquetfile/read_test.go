package parquetfile_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/parquetfile"
)

// line is a row of the tests' files.
type line struct {
	Name   string    `parquet:"name"`
	Values []float64 `parquet:"values,list"`
	Count  int64     `parquet:"count"`
}

func file(t require.TestingT) []byte {
	var out bytes.Buffer
	require.NoError(t, parquetfile.Write(&out, 40, map[string]string{"version": "1"},
		func(row func(line) error) error {
			for i := range 5 {
				if err := row(line{"a", []float64{1, 2}, int64(i)}); err != nil {
					return err
				}
			}
			return nil
		}))
	return out.Bytes()
}

func TestInspect(t *testing.T) {
	data := file(t)
	facts, err := parquetfile.Inspect(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.EqualValues(t, 5, facts.Rows)
	require.Equal(t, "1", facts.Meta["goline.version"])
	require.Len(t, facts.Columns, 3)
	require.Contains(t, facts.Columns, "name STRING")
	require.Contains(t, facts.Columns, "count INT(64,true)")
}

// TestInspectDamaged: of a file that is cut off, or has changed bytes, the facts or an error are returned.
func TestInspectDamaged(t *testing.T) {
	whole := file(t)
	for n := range len(whole) {
		_, err := parquetfile.Inspect(bytes.NewReader(whole[:n]), int64(n))
		require.Error(t, err, "%d bytes", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(whole)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		parquetfile.Inspect(bytes.NewReader(data), int64(len(data))) // must not panic
	})
}
