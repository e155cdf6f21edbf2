package report_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

func latex(t *testing.T, r report.Result) string {
	var out bytes.Buffer
	require.NoError(t, r.WriteLaTeX(&out))
	return out.String()
}

func TestLaTeX(t *testing.T) {
	assert.Equal(t, `% Needs \usepackage{booktabs}. FPR95 (lower is better) / AUROC (higher is better) in %; 5000 ID samples, accuracy 94.50 %.
\begin{tabular}{llrrrrrr}
\toprule
 & & \multicolumn{2}{c}{textures10} & \multicolumn{2}{c}{mnist} & \multicolumn{2}{c}{average} \\
\cmidrule(lr){3-4} \cmidrule(lr){5-6} \cmidrule(lr){7-8}
Method & Parameters & FPR95 $\downarrow$ & AUROC $\uparrow$ & FPR95 $\downarrow$ & AUROC $\uparrow$ & FPR95 $\downarrow$ & AUROC $\uparrow$ \\
\midrule
line & clip = 1, p\_a = 90, p\_w = 90 & \textbf{27.40} & \textbf{95.41} & \textbf{0.40} & \textbf{99.88} & \textbf{13.90} & \textbf{97.64} \\
energy & temperature = 1 & 54.60 & 87.49 & \textbf{0.40} & 99.01 & 27.50 & 93.25 \\
\bottomrule
\end{tabular}
`, latex(t, example()))
	assert.Contains(t, latex(t, whole()), `\textbf{13.90} {\scriptsize $\pm$ 0.60}`)
}

func TestLaTeXEscapesNames(t *testing.T) {
	r := nastyResult()
	r.Methods[0].Name, r.Methods[1].Name = `a_b & c--d % {e} #$^~\`+"`'\"<|>", "[0]*"
	got := latex(t, r)
	assert.Contains(t, got,
		`a\_b \& c-{}-d \% \{e\} \#\$\textasciicircum{}\textasciitilde{}\textbackslash{}\textasciigrave{}`)
	assert.Contains(t, got, "\n{[}0{]}{*} & ", "nothing that a row's end could take for an option")
	assert.NotContains(t, got, "\x1b")
	for i, line := range strings.Split(got, "\n") {
		if i == 0 || !strings.HasSuffix(line, `\\`) {
			continue
		}
		assert.Equal(t, map[bool]int{true: 3, false: 7}[strings.Contains(line, "multicolumn")],
			strings.Count(line, " & "), line)
	}
	if _, err := exec.LookPath("pdflatex"); err != nil {
		t.Skip("pdflatex is missing: the names are not set in type")
	}
	dir := t.TempDir()
	document := "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{textcomp}\n" +
		"\\begin{document}\n" + strings.NewReplacer(`\toprule`, `\hline`, `\midrule`, `\hline`, `\bottomrule`, `\hline`,
		`\cmidrule(lr)`, `\cline`).Replace(got) + "\\end{document}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "t.tex"), []byte(document), 0o666))
	cmd := exec.Command("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestMarkdownFile(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, whole().WriteMarkdown(&out))
	got := out.String()
	for _, want := range []string{"| method | parameters | textures10 |", "full spectrum", "AUROC compared",
		"| method | fit, s |", "12.3 MB"} {
		assert.Contains(t, got, want)
	}
	assert.True(t, strings.HasSuffix(got, "\n") && !strings.HasSuffix(got, "\n\n"))
	assert.ErrorContains(t, report.Result{}.WriteMarkdown(&out), "expected at least one method, got none")
	assert.ErrorContains(t, report.Result{}.WriteLaTeX(&out), "expected at least one method, got none")
	assert.ErrorIs(t, whole().WriteMarkdown(broken{}), errBroken)
	assert.ErrorIs(t, whole().WriteLaTeX(broken{}), errBroken)
}
