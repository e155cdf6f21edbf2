package notebook

import (
	"fmt"
	"html"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Table is a table of any content, shown as HTML in a notebook, with numbers aligned to the right. All its text is
// escaped.
type Table struct {
	// Caption is shown above the table; "" for none.
	Caption string
	// Header names the columns; rows must not be longer than it.
	Header []string
	// Rows holds the cells; floats are formatted with Digits decimals, everything else by [fmt.Sprint].
	Rows [][]any
	// Digits is the number of decimals of floats; 0 stands for 2, a negative number for as many as are needed.
	Digits int
}

// Add appends a row.
func (t *Table) Add(cells ...any) { t.Rows = append(t.Rows, cells) }

func (t *Table) view() (bundle, error) {
	var page strings.Builder
	plain := table.NewWriter()
	plain.SetStyle(table.StyleLight)
	page.WriteString(`<table class="goline">`)
	if t.Caption != "" {
		page.WriteString("<caption>" + html.EscapeString(t.Caption) + "</caption>")
	}
	page.WriteString("<thead><tr>")
	header := make(table.Row, len(t.Header))
	for i, h := range t.Header {
		page.WriteString(`<th style="text-align:` + t.align(i) + `">` + html.EscapeString(h) + "</th>")
		header[i] = h
	}
	plain.Style().Format.Header = 0 // names keep their case
	plain.AppendHeader(header)
	page.WriteString("</tr></thead><tbody>")
	for i, row := range t.Rows {
		if len(row) > len(t.Header) {
			return bundle{}, fmt.Errorf("row %d: expected at most %d cells as the header has, got %d", i, len(t.Header),
				len(row))
		}
		page.WriteString("<tr>")
		line := make(table.Row, len(row))
		for j, cell := range row {
			text, number := t.format(cell)
			page.WriteString(`<td style="text-align:` + aligned(number) + `">` + html.EscapeString(text) + "</td>")
			line[j] = text
		}
		page.WriteString("</tr>")
		plain.AppendRow(line)
	}
	page.WriteString("</tbody></table>")
	text := plain.Render()
	if t.Caption != "" {
		text = t.Caption + "\n" + text
	}
	return bundle{html: page.String(), text: text}, nil
}

// align is the alignment of a column's name: that of its first cell.
func (t *Table) align(column int) string {
	for _, row := range t.Rows {
		if column < len(row) {
			_, number := t.format(row[column])
			return aligned(number)
		}
	}
	return aligned(false)
}

// aligned is where cells are aligned to: numbers to the right, so that their decimals stand below each other.
func aligned(number bool) string {
	if number {
		return "right"
	}
	return "left"
}

// format formats a cell and reports whether it is a number.
func (t *Table) format(cell any) (text string, number bool) {
	digits := t.Digits
	if digits == 0 {
		digits = 2
	}
	switch v := cell.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', max(digits, -1), 64), true
	case float32:
		return strconv.FormatFloat(float64(v), 'f', max(digits, -1), 32), true
	case int, int64, int32, uint64, uint32, uint8, uint:
		return fmt.Sprint(v), true
	}
	return fmt.Sprint(cell), false
}
