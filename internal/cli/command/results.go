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

// Write writes a result to a file, completely or not at all. It does nothing for the path "", of a flag that was not
// given.
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

// NewTable returns an empty table. Its first columns, as many as texts says, hold text; the others hold numbers.
func NewTable(texts int, header ...string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // keeps the case of names
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

// Interrupted tells whether err is the error of the context, which has ended.
func Interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
