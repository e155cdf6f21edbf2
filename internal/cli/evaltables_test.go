package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEvalTables(t *testing.T) {
	w := newWorld(t)
	page, tex, md := w.path("r.html"), w.path("t.tex"), w.path("t.md")
	must(t, w.eval("--methods", "msp,line,energy", "--report", page, "--latex", tex, "--markdown", md)...)
	for _, want := range []string{`\begin{tabular}`, `\multicolumn{2}{c}{noise}`, "energy &", `\bottomrule`} {
		require.Contains(t, contents(t, tex), want)
	}
	require.Contains(t, contents(t, md), "| line | clip = 1, p_a = 90, p_w = 90 |")
	html := contents(t, page)
	for _, want := range []string{"Most in-distribution by line", `src="data:image/png;base64,`, "noise.npy#",
		`id="coverage"`, "neurons "} {
		require.True(t, strings.Contains(html, want), want)
	}
	require.Equal(t, 3*2*4, strings.Count(html, "<img "), "the ID set and two others, most and least, four each")
}

func TestEvalTablesRefuses(t *testing.T) {
	w := newWorld(t)
	same := w.path("same")
	code, _, stderr := runGoline(w.eval("--methods", "msp", "--latex", same, "--markdown", same)...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--markdown")
	require.Contains(t, fails(t, w.eval("--methods", "msp", "--latex", w.path("no/folder/t.tex"))...), "t.tex")
}
