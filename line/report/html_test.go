package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	htmlpkg "html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

var provenance = report.Provenance{
	Command: "goline eval --net densenet-bc-100-12 --seed 1",
	Facts:   []report.Fact{{"goline", "v0.1.0"}, {"Go", "go1.26"}},
}

func html(t require.TestingT, r report.Result, scores []report.Scores) string {
	var out bytes.Buffer
	require.NoError(t, r.WriteHTML(&out, scores, provenance))
	return out.String()
}

func TestHTML(t *testing.T) {
	r := withIntervals(example())
	page := html(t, r, scoresFor(r))
	for _, want := range []string{
		"<title>Out-of-distribution detection: densenet-bc-100-12</title>",
		`<html lang="en">`,
		"94.50 % accuracy (interval 94.00 to 95.10)",
		`<td class="first"><strong>27.40</strong></td><td><strong>95.41</strong></td>`,
		`<span class="ci">25.00 to 30.00</span>`,
		"95 % bootstrap interval over test samples (1000 resamples)",
		"<code>clip = 1, p_a = 90, p_w = 90</code>",
		"<code>goline eval --net densenet-bc-100-12 --seed 1</code>",
		"<dt>Weights SHA-256</dt><dd><code>5e884898da28047151d0e56f8dc62927</code></dd>",
		"<dt>Seed</dt><dd>1</dd>",
		"<dt>goline</dt><dd>v0.1.0</dd>",
	} {
		assert.Contains(t, page, want)
	}
	assert.Equal(t, 9, strings.Count(page, `<svg class="chart"`),
		"ROC and precision-recall on two sets, histograms of two methods on two sets, cost")
	assert.Equal(t, 9, strings.Count(page, `role="img" aria-label=`))
	assert.Equal(t, 5*2, strings.Count(page, `<g class="curve c`)+strings.Count(page, `<g class="dot c`),
		"both methods in colour everywhere")
	assert.Equal(t, page, html(t, r, scoresFor(r)), "the same bytes each time")
	assert.Less(t, strings.Index(page, "ROC curves on textures10"), strings.Index(page, "ROC curves on mnist"))
	balanced(t, page)
}

// balanced checks that every element that must be closed is closed, in the right order.
func balanced(t *testing.T, page string) {
	t.Helper()
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(/?)>`).FindAllStringSubmatch(page, -1) {
		switch name := m[2]; {
		case name == "meta" || name == "br" || name == "img" || m[3] == "/":
		case m[1] == "":
			open = append(open, name)
		default:
			require.NotEmpty(t, open, "closing %s", name)
			require.Equal(t, open[len(open)-1], name)
			open = open[:len(open)-1]
		}
	}
	assert.Empty(t, open)
}

func TestHTMLNeedsNothingElse(t *testing.T) {
	r := example()
	page := html(t, r, scoresFor(r))
	for _, namespace := range []string{"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"} {
		page = strings.ReplaceAll(page, namespace, "")
	}
	assert.NotRegexp(t, `(?i)https?:|//[a-z]|\bsrc=|<link|<iframe|<img|@import|url\(`, page)
	assert.Equal(t, 1, strings.Count(page, "<script"))
	policy := regexp.MustCompile(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ` +
		`'sha256-([^']*)'"`).FindStringSubmatch(htmlpkg.UnescapeString(page))
	require.NotNil(t, policy)
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	sum := sha256.Sum256([]byte(script))
	assert.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), policy[1],
		"the policy lets this script run and no other")
}

func TestHTMLWithoutFigures(t *testing.T) {
	r := example()
	r.ID.Accuracy = nan
	page := html(t, r, nil)
	assert.Equal(t, 1, strings.Count(page, "<svg"), "cost needs no scores")
	assert.NotContains(t, page, "ROC and precision")
	assert.Contains(t, page, "5000 in-distribution (ID) samples without labels.")
	assert.NotContains(t, page, "NaN")
	balanced(t, page)
}

func TestHTMLEscapesNames(t *testing.T) {
	r := nastyResult()
	var out bytes.Buffer
	require.NoError(t, r.WriteHTML(&out, scoresFor(r), report.Provenance{
		Command: nasty, Facts: []report.Fact{{nasty, nasty}},
	}))
	page := out.String()
	assert.Equal(t, 1, strings.Count(page, "<script"), "the page's own")
	assert.NotContains(t, page, "\x1b")
	assert.NotContains(t, page, "\u202e")
	assert.Contains(t, page, "&lt;script&gt;")
	balanced(t, page)
}

func TestHTMLErrors(t *testing.T) {
	r := example()
	for want, change := range map[string]func([]report.Scores){
		`report: scores of method "odin", which the result does not have`: func(s []report.Scores) {
			s[1].Method = "odin"
		},
		`report: two of scores of method "line"`: func(s []report.Scores) { s[1].Method = "line" },
		`report: scores of method "line": expected the OOD sets ["textures10" "mnist"], ` +
			`got others`: func(s []report.Scores) {
			s[0].OOD[1].Name = "other"
		},
		`histograms of "energy": ID set: `: func(s []report.Scores) { s[1].ID[7] = nan },
	} {
		scores := scoresFor(r)
		change(scores)
		var out bytes.Buffer
		assert.ErrorContains(t, r.WriteHTML(&out, scores, provenance), want)
		assert.Empty(t, out.String())
	}
	assert.ErrorIs(t, r.WriteHTML(broken{}, nil, provenance), errBroken)
	assert.ErrorIs(t, r.WriteJSON(broken{}), errBroken)
	assert.ErrorIs(t, r.WriteCSV(broken{}), errBroken)
	_, err := figures(t, r)["roc"].SVG().WriteTo(broken{})
	assert.ErrorIs(t, err, errBroken)
	_, err = figures(t, r)["roc"].PNG().WriteTo(broken{})
	assert.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
