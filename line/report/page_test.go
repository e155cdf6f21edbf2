package report_test

import (
	"bytes"
	"fmt"
	stdhtml "html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

// many returns a result with more methods than there are colours. Methods with lower numbers are better, and LINe is
// last.
func many(n int) report.Result {
	r := example()
	model := r.Methods[0]
	r.Methods = nil
	for i := range n {
		m := model
		m.Name = fmt.Sprintf("method%d", i)
		if i == n-1 {
			m.Name = "line"
		}
		m.OOD = append([]report.OOD(nil), model.OOD...)
		for k := range m.OOD {
			m.OOD[k].Metrics.AUROC, m.OOD[k].Metrics.FPR95 = 0.9-0.01*float64(i), 0.1+0.01*float64(i)
		}
		r.Methods = append(r.Methods, m)
	}
	return r
}

func TestPageWithManyMethods(t *testing.T) {
	r := many(40)
	page := html(t, r, scoresFor(r))
	balanced(t, page)
	first, _, _ := strings.Cut(page[strings.Index(page, `<figure class="pair">`):], "</svg>")
	assert.Equal(t, 40, strings.Count(first, `<g class="curve`), "every method has a curve")
	assert.Equal(t, 6, strings.Count(first, `<g class="curve c`), "six are coloured")
	assert.Contains(t, first, `<g class="curve c0" data-m="39"><title>line: AUROC 51.00`, "LINe first of all")
	assert.Contains(t, first, `<g class="curve c1" data-m="0"><title>method0`)
	assert.Greater(t, strings.Index(first, `data-m="39"`), strings.Index(first, `data-m="38"`),
		"LINe on top of the others")
	assert.True(t, strings.Contains(page, "Of 40 methods, line is 40th by average FPR95 and 40th by average AUROC."))
	assert.True(t, strings.Contains(page, "<details><summary>80 rows</summary>"))
	assert.Equal(t, 2, strings.Count(page, "open><summary>"), "histograms of two methods are unfolded")
	assert.Less(t, len(page), 2<<20)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		assert.False(t, ids[m[1]], "%s is an id twice", m[1])
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		assert.True(t, ids[m[1]], "contents lead to %s", m[1])
	}
}

func TestPageWithEverything(t *testing.T) {
	r := whole()
	p := provenance
	for i := range 2000 {
		p.Outcomes = append(p.Outcomes, report.Outcome(i%3))
	}
	p.Pictures = []report.Pictures{{Set: "mnist", Method: "line",
		Most: []report.Picture{{PNG: []byte{1, 2, 3}, Caption: "a.png", Score: 12.345, Prediction: "cat", Label: "dog",
			Neurons: []report.Neuron{{Index: 7, Contribution: 1.5}, {Index: 30, Contribution: -0.25}}}},
		Least: []report.Picture{{Caption: nasty, Prediction: nasty}}}}
	p.Sections = []report.Section{{ID: "mine", Title: "My own", Body: "<p>body of mine</p>"}}
	var out bytes.Buffer
	require.NoError(t, r.WriteHTML(&out, scoresFor(r), p))
	page := out.String()
	balanced(t, page)
	for _, want := range []string{
		`<th colspan="2" scope="colgroup" class="overall">average</th><th colspan="2" scope="colgroup" ` +
			`class="group">average near</th>`,
		`<span class="sd"> ± 0.60</span>`, "standard deviation over 2 checkpoints", "means over 2 checkpoints",
		`id="full-spectrum"`, "cifar10c (1000 samples, accuracy 70.00 %), sketch (50 samples)",
		"12.3 MB", "<td>1.23</td><td>91.00</td>", "<td>1.23</td><td></td>",
		"line: clip = 1, p_a = 90, p_w = 90</summary>",
		"2 settings on val against patches, pixels, made from ID pictures", "<td><strong>80.00</strong></td>",
		"<td>+4.30</td><td>-1.00 to +9.00</td><td>0.012</td><td><strong>0.025</strong></td>", "By DeLong's test.",
		"Of 2 methods, line is 1st by average FPR95 and 1st by average AUROC; 1st and 1st on near sets, 1st and 1st " +
			"on far sets.",
		"it is ahead of 1 of 1 methods and behind 0",
		`id="coverage"`, ": AURC 0.0123", `src="data:image/png;base64,AQID"`,
		"<strong>12.35</strong> cat, in truth dog", "neurons 7 (+1.50), 30 (-0.25)",
		`<a href="#mine">My own</a>`, `<h2 id="mine">My own</h2>`, "<p>body of mine</p>",
	} {
		assert.True(t, strings.Contains(stdhtml.UnescapeString(page), want), want)
	}
	assert.Equal(t, 1, strings.Count(page, "<script"))
	assert.False(t, strings.Contains(page, "ZgotmplZ"))

	p.Outcomes = p.Outcomes[:5]
	out.Reset()
	assert.ErrorContains(t, r.WriteHTML(&out, scoresFor(r), p), "expected an outcome for each of 2000 scores, got 5")
	assert.Empty(t, out.String())
}

// Holm's correction multiplies the smallest p-value that a bootstrap can give by the number of tests. The page must
// say so where no test can then be significant.
func TestPageSaysWhereTestsCannotTell(t *testing.T) {
	r := withIntervals(whole())
	few := "Paired tests of average AUROC say nothing here: 1 comparisons need at least 40 resamples"
	for resamples, says := range map[int]bool{39: true, 40: false} {
		r.Bootstrap.Resamples = resamples
		page := html(t, r, nil)
		assert.Equal(t, says, strings.Contains(page, few), resamples)
		assert.Equal(t, !says, strings.Contains(page, "it is ahead of 1 of 1 methods"), resamples)
	}
}

func TestPageWithoutLINe(t *testing.T) {
	r := example()
	r.Methods = r.Methods[1:]
	page := html(t, r, scoresFor(r))
	assert.True(t, strings.Contains(page, "Each method below turns"))
	assert.False(t, strings.Contains(page, "Ahn, Park and Kim"))
	assert.False(t, strings.Contains(page, "by average FPR95 and"))
}
