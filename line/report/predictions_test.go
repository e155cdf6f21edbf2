package report_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/report"
)

func TestCountPredictions(t *testing.T) {
	names := []string{"tench", "gold\x1bfish", "great white shark"}
	p := report.CountPredictions("textures", []int{2, 0, 7, 2, 1, 7, 2}, names, 3)
	require.Equal(t, report.Predictions{Set: "textures", N: 7, Top: []report.ClassCount{
		{Class: 2, Name: "great white shark", N: 3}, {Class: 7, N: 2}, {Class: 0, Name: "tench", N: 1},
	}}, p)
	require.Equal(t, "textures: great white shark 42.9 %, class 7 28.6 %, tench 14.3 %", p.String())
	require.Equal(t, "s: class 0 100.0 %", report.CountPredictions("s", []int{0}, nil, 9).String())
	require.Empty(t, report.CountPredictions("s", []int{0}, nil, -1).Top)
	for class, want := range map[int]string{0: "0 (tench)", 1: `1 (gold\x1bfish)`, 3: "3", -1: "-1"} {
		require.Equal(t, want, report.ClassLabel(names, class))
	}
}

// The counts of all classes sum to the number of samples, and are in descending order.
func TestCountPredictionsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predicted := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 50).Draw(t, "classes")
		p := report.CountPredictions("s", predicted, nil, 10)
		sum := 0
		for i, c := range p.Top {
			sum += c.N
			require.True(t, i == 0 || p.Top[i-1].N > c.N || p.Top[i-1].N == c.N && p.Top[i-1].Class < c.Class)
		}
		require.Equal(t, len(predicted), sum)
	})
}

// The page has a table of predictions if they are given, and is otherwise unchanged.
func TestHTMLPredictions(t *testing.T) {
	r, p := example(), provenance
	p.Predictions = []report.Predictions{
		report.CountPredictions("mnist<", []int{1, 1, 0}, []string{"<b>tench", "hen"}, 5),
		report.CountPredictions("sun", []int{4}, nil, 5),
	}
	var out bytes.Buffer
	require.NoError(t, r.WriteHTML(&out, nil, p))
	for _, want := range []string{
		`<h2 id="predictions">What samples are taken for</h2>`,
		`<tr><th scope="row">mnist&lt;</th><td>1</td><td class="left">hen</td><td>2</td><td>66.7</td></tr>`,
		`<td class="left">&lt;b&gt;tench</td>`,
		`<tr><th scope="row">sun</th><td>4</td><td class="left"></td><td>1</td><td>100.0</td></tr>`,
	} {
		require.Contains(t, out.String(), want)
	}
	balanced(t, out.String())
	require.NotContains(t, html(t, r, nil), "taken for")
}
