package rooms

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeRepeatsMeasuredSpeed: each figure in README's table of speed is one of docs/speed.md, perhaps rounded. That
// page says how it was measured.
func TestReadmeRepeatsMeasuredSpeed(t *testing.T) {
	read := func(file string) string {
		content, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		return string(content)
	}
	number := regexp.MustCompile(`\d[\d,]*(\.\d+)?`)
	decimals := func(text string) int {
		_, after, _ := strings.Cut(text, ".")
		return len(after)
	}
	value := func(text string) float64 {
		v, err := strconv.ParseFloat(strings.ReplaceAll(strings.Trim(text, ","), ",", ""), 64)
		require.NoError(t, err, text)
		return v
	}
	var measured []float64
	for _, text := range number.FindAllString(read("docs/speed.md"), -1) {
		measured = append(measured, value(text))
	}
	_, table, found := strings.Cut(read("README.md"), "## Speed")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	checked := 0
	for _, row := range regexp.MustCompile(`(?m)^\| [^|\n]+ \|.*\|$`).FindAllString(table, -1) {
		for _, cell := range strings.Split(row, "|")[2:] {
			text := number.FindString(cell)
			if text == "" {
				continue
			}
			checked++
			known := false
			for _, m := range measured {
				known = known || strconv.FormatFloat(m, 'f', decimals(text), 64) == strings.ReplaceAll(text, ",", "")
			}
			require.True(t, known, "README.md says %s in %q: expected a figure of docs/speed.md", text, row)
		}
	}
	require.Greater(t, checked, 15)
}
