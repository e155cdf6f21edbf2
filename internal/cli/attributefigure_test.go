package cli

import (
	"context"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAttributeValuesFigure: the figure of values names its game, and shows the neurons of the table beside their
// weights.
func TestAttributeValuesFigure(t *testing.T) {
	w := newAttributeWorld(t)
	small := []string{"values", "--data", w.path("test.npz"), "--image", "4,5", "--budget", "2000", "--target", "1",
		"--estimators", "permutation,closed-form", "--top", "3", "--figure"}
	table := w.must(t, append(small, w.path("v.svg"), "--csv", w.path("v.csv"))...)
	svg := string(contents(t, w.path("v.svg")))
	for _, want := range []string{
		">densenet-bc-10-14, features, neurons: Shapley values of logit for image-4, class 1<", ">permutation<",
		">closed-form<", ">Shapley value with 95 % interval<", ">weight to class 1<"} {
		assert.Contains(t, svg, want)
	}
	shown := 0
	for _, row := range readCSV(t, w.path("v.csv")) {
		if row["subject"] == "image-4" && row["estimator"] == "permutation" {
			first, _, _ := strings.Cut(table, "image-5")
			first, _, _ = strings.Cut(first, "by closed-form")
			drawn := strings.Contains(svg, ">"+row["name"]+"<")
			assert.Equal(t, strings.Contains(first, row["name"]+" "), drawn, row["name"])
			if drawn {
				shown++
			}
		}
	}
	assert.Equal(t, 3, shown)

	w.must(t, append(small, w.path("v.PNG"))...)
	f, err := os.Open(w.path("v.PNG"))
	require.NoError(t, err)
	defer f.Close()
	size, err := png.DecodeConfig(f)
	require.NoError(t, err)
	assert.InDelta(t, 18/2.54*144, size.Width, 1, "18 cm at 144 dots per inch")

	w.must(t, append(small, w.path("groups.svg"), "--groups", "5")...)
	svg = string(contents(t, w.path("groups.svg")))
	assert.Contains(t, svg, "5 groups of neighbouring neurons")
	assert.NotContains(t, svg, "weight to", "a group has no single weight")
}

func TestAttributeValuesFigureIsCheckedFirst(t *testing.T) {
	w := newAttributeWorld(t)
	data := []string{"values", "--data", w.path("test.npz")}
	for want, args := range map[string][]string{
		`expected the ending .png or .svg, got ".pdf"`:  {"--figure", w.path("v.pdf")},
		`expected the ending .png or .svg, got ""`:      {"--figure", w.path("v")},
		"--figure: expected --top of at least 1, got 0": {"--figure", w.path("v.svg"), "--top", "0"},
		"--csv and --figure are the same file":          {"--figure", w.path("v.svg"), "--csv", w.path("v.svg")},
		"would replace the file of --data":              {"--figure", w.path("link.svg")},
	} {
		if want == "would replace the file of --data" {
			require.NoError(t, os.Link(w.path("test.npz"), w.path("link.svg")))
		}
		code, _, stderr := w.goline(context.Background(), append(data, args...)...)
		assert.Equal(t, exitUsage, code, want)
		assert.Contains(t, stderr, want)
	}
	assert.NoFileExists(t, w.path("v.svg"))
}
