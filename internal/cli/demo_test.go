package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset/demo"
	"github.com/line-ood/goline/internal/racetest"
)

func TestDemoData(t *testing.T) {
	for name, each := range map[string]int{"fit": 200, "test": 100} {
		open := demo.Fit
		if name == "test" {
			open = demo.Test
		}
		s, err := open()
		require.NoError(t, err)
		require.Equal(t, 10*each, s.Len())
		counts := make([]int, 10)
		for _, label := range s.Labels() {
			counts[label]++
		}
		for class, n := range counts {
			require.Equal(t, each, n, "%s %s", name, s.Classes()[class])
		}
	}
	sets, err := demo.OutOfDistribution()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(sets), 3)
	for _, s := range sets {
		require.GreaterOrEqual(t, s.Len(), 490)
		require.NotEmpty(t, s.Source)
		require.NotEmpty(t, s.Licence)
		img, err := s.Image(s.Len() - 1)
		require.NoError(t, err)
		require.Len(t, img.Pix, 3*28*28)
		_, err = s.Image(s.Len())
		require.ErrorContains(t, err, s.Name())
		bright := map[uint8]bool{}
		for _, v := range img.Pix {
			bright[v] = true
		}
		require.Greater(t, len(bright), 8, "a real picture has many shades")
	}
	var total int64
	err = filepath.WalkDir("../../testdata", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		total += info.Size()
		return err
	})
	require.NoError(t, err)
	require.Less(t, total, int64(8<<20))
}

func TestDemo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo.html")
	code, stdout, stderr := runGoline("demo", "--html", path)
	require.Zero(t, code, stderr)
	for _, want := range []string{"line", "msp", "energy", "digits", "textures", "photographs", "galaxies",
		"gradient × activation", "sampled Shapley", "CC BY 4.0", path} {
		require.Contains(t, stdout, want)
	}
	require.Contains(t, stdout, "accuracy 95.30 %")
	rows := resultRows(t, "digits")
	require.Len(t, rows, 10)
	for _, row := range rows { // docs/results.md shows the output of the demo
		require.Regexp(t, strings.Join(quoteAll(row), `\s*│\s*`), stdout)
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	page := string(raw)
	for _, want := range []string{`id="pictures"`, "no test picture was used", `id="contributions"`, `id="sampled"`,
		`id="extremes"`, `id="roc"`, `id="scores"`, "ankle boot", "img-src data:", "neuron 95"} {
		require.Contains(t, page, want)
	}
	require.NotRegexp(t, `(?i)(src|href)\s*=\s*"(https?:)?//`, page, "nothing is loaded from elsewhere")
	require.Equal(t, 1, strings.Count(page, "<script"), "the report's own")
	require.NotContains(t, page, "ZgotmplZ", "the template took something for unsafe")
	require.Equal(t, 1, strings.Count(page, "</html>"))

	if racetest.On {
		return // without the race detector the test also runs the demo again, in a tenth of the time
	}
	again := filepath.Join(t.TempDir(), "demo.html")
	code, second, stderr := runGoline("demo", "--html", again, "--workers", "1", "--batch", "7")
	require.Zero(t, code, stderr)
	seconds := regexp.MustCompile(` *\d+\.\d+ s\b.*|/.*html`) // with the spaces that fill their column
	require.Equal(t, seconds.ReplaceAllString(stdout, ""), seconds.ReplaceAllString(second, ""),
		"results do not depend on batch or workers")
}

// resultRows returns the rows of the table of docs/results.md that has the given column, without marks of bold type.
func resultRows(t testing.TB, column string) (rows [][]string) {
	t.Helper()
	within := false
	for line := range strings.Lines(contents(t, "../../docs/results.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(strings.ReplaceAll(line, "**", "")), "|"), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			within = false
		case len(cells) > 2 && strings.TrimSpace(cells[2]) == column:
			within = true
		case within && !strings.Contains(line, "--:"):
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
	}
	require.NotEmpty(t, rows, "docs/results.md has no table with the column %s", column)
	return rows
}

func quoteAll(cells []string) []string {
	var out []string
	for _, c := range cells {
		out = append(out, regexp.QuoteMeta(c))
	}
	return out
}

func TestDemoRefuses(t *testing.T) {
	code, _, stderr := runGoline("demo", "--p-a", "101")
	require.Equal(t, exitUsage, code, stderr)
	code, _, stderr = runGoline("demo", "extra")
	require.Equal(t, exitUsage, code, stderr)
	code, _, stderr = runGoline("demo", "--html", filepath.Join(t.TempDir(), "no", "folder", "x.html"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "x.html")
}
