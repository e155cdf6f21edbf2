package rooms

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCostsFollowFromRates computes the table of docs/scale.md again, from the numbers in the sentence above it.
func TestCostsFollowFromRates(t *testing.T) {
	content, err := os.ReadFile("../../docs/scale.md")
	require.NoError(t, err)
	number := func(text string) float64 {
		t.Helper()
		value, unit, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(text), ",", ""), " ")
		v, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err, text)
		return v * map[string]float64{"": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
	}
	of := func(pattern string) (all []float64) {
		t.Helper()
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1) {
			all = append(all, number(m[1]))
		}
		require.NotEmpty(t, all, pattern)
		return all
	}
	rates := of(`([\d.]+) images/s`)
	require.Len(t, rates, 2)
	picture, price := of(`(\d+ kB) a\s+picture`)[0], of(`price of ([\d.]+) for`)[0]
	const cores, classes = 2, 1000
	features := []float64{1280, 2048} // of EfficientNet-Lite0 and ResNet-50
	images := []float64{1.28e6, 1e9}
	rows := map[string]func(net int, images float64) float64{
		"core hours": func(net int, n float64) float64 {
			return n * cores / rates[net] / 3600
		},
		"cost for a million": func(net int, _ float64) float64 {
			return 1e6 * cores / rates[net] / 3600 * price
		},
		"pictures read": func(_ int, n float64) float64 { return n * picture },
		"features and logits written, float32": func(net int, n float64) float64 {
			return n * (features[net] + classes) * 4
		},
		"scores as CSV, about 60 bytes": func(_ int, n float64) float64 { return n * 60 },
		"sums of one part of a fit (K = 1000)": func(net int, _ float64) float64 {
			return classes * features[net] * 2 * 8
		},
	}
	for name, cost := range rows {
		m := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(name) + ` \|(.*)\|$`).FindStringSubmatch(string(content))
		require.NotNil(t, m, name)
		for i, cell := range strings.Split(m[1], "|") {
			want, got := cost(i/2, images[i%2]), number(cell)
			require.LessOrEqual(t, math.Abs(got-want), 0.03*want, "%s: expected %.4g, got %s", name, want, cell)
		}
	}
}
