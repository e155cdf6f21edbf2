package report

import (
	"io"
	"strings"
)

// WriteMarkdown writes the result as GitHub-flavoured Markdown: the table of methods and OOD sets with the best of
// each column bold, the full-spectrum table and the comparisons if there are any, and what the methods cost. It is an
// error if the result is not valid.
func (r Result) WriteMarkdown(w io.Writer) error {
	parts := []func() (string, error){
		func() (string, error) { return r.Table(Markdown, true) },
		func() (string, error) {
			if r.FullSpectrum == nil {
				return "", nil
			}
			return r.TableWith(TableOptions{Format: Markdown, Highlight: true, FullSpectrum: true})
		},
		func() (string, error) { return r.ComparisonTable(Markdown) },
		func() (string, error) { return r.CostTable(Markdown) },
	}
	var all []string
	for _, part := range parts {
		text, err := part()
		if err != nil {
			return err
		}
		if text != "" {
			all = append(all, text)
		}
	}
	_, err := io.WriteString(w, strings.Join(all, "\n\n")+"\n")
	return err
}
