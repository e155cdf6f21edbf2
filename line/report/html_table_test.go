package report_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

// An HTML table is a single element. Texts from users are escaped in it, and the best of each column is bold.
func TestTableHTML(t *testing.T) {
	r := example()
	r.Methods[0].OOD[0].Name, r.Methods[1].OOD[0].Name = "<b>", "<b>"
	got, err := r.Table(report.HTML, true)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, "<table class=\"goline\">\n  <caption>FPR95 (lower is better)"))
	require.True(t, strings.HasSuffix(got, "</table>"))
	require.Contains(t, got, "&lt;b&gt;</th>")
	require.Contains(t, got, `<th style="text-align:left">method</th>`)
	require.Contains(t, got, `<td style="text-align:left">line</td>`)
	require.Contains(t, got, `<td style="text-align:right"><b>27.40</b>`)
	require.NotContains(t, got, "align=", "notebooks ignore the attribute")
	require.Contains(t, got, "<b>27.40</b> / <b>95.41</b></td>")
	require.Equal(t, 7, strings.Count(got, "<b>"))
	plain, err := r.Table(report.HTML, false)
	require.NoError(t, err)
	require.NotContains(t, plain, "<b>")
}
