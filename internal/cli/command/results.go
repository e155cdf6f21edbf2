package command

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/line-ood/goline/internal/atomicfile"
)

// Write puts a result into a file, whole or not at all. It does nothing where a flag names none.
func Write(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	return atomicfile.Write(path, write)
}

// WriteJSON writes indented JSON.
func WriteJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// NewTable starts a table whose first columns are text and whose others are numbers.
func NewTable(texts int, header ...string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // names keep their case
	row, columns := table.Row{}, []table.ColumnConfig{}
	for i, h := range header {
		row = append(row, h)
		if i >= texts {
			columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight,
				AlignHeader: text.AlignRight})
		}
	}
	t.AppendHeader(row)
	t.SetColumnConfigs(columns)
	return t
}

// Interrupted tells whether an error is that of a context which has ended.
func Interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
