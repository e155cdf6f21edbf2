package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/figure"
)

func example() *Chart {
	return &Chart{
		Alt: `<one> & "two"`, Width: 340, Height: 300,
		X: Axis{Name: "a < b", Low: 0, High: 100, Ticks: figure.LinearTicks{}.Ticks(0, 100)},
		Y: Axis{Name: "cost", Low: 0.1, High: 10, Log: true, Ticks: figure.LogTicks{}.Ticks(0.1, 10)},
	}
}

func TestSVG(t *testing.T) {
	c := example()
	c.Curve(Series{3, "b0", "<method>"}, []Point{{0, 0.1}, {100, 10}})
	c.Dot(Series{4, "", "dot"}, Point{50, 1})
	c.Label(Series{4, "", "dot"}, Point{50, 1}, "a & b")
	c.Area("id", []Point{{0, 1}, {1, 1}, {1, 2}})
	c.Rule("", Point{0, 1}, Point{100, 1})
	svg := c.SVG()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "well-formed XML")
	}
	for _, want := range []string{
		// from one corner of the data area to the opposite one
		`<g class="curve b0" data-m="3"><title>&lt;method&gt;</title><path d="M44 260L328 8"/></g>`,
		`<circle cx="186" cy="134" r="4"/>`, // the middle of both axes, one of them logarithmic
		`aria-label="&lt;one&gt; &amp; &#34;two&#34;"`, "a &lt; b", "a &amp; b", `<path class="area id"`,
		`<path class="rule"`, ">100<", ">0.1<",
	} {
		require.Contains(t, svg, want)
	}
	require.NotRegexp(t, `(fill|stroke|style)=`, svg, "colours are the page's")
}

func TestSimplify(t *testing.T) {
	require.Equal(t, []Point{{0, 0}, {9, 9}}, simplify([]Point{{0, 0}, {3, 3}, {5, 5.2}, {9, 9}}))
	require.Equal(t, []Point{{0, 0}, {5, 9}, {9, 0}}, simplify([]Point{{0, 0}, {5, 9}, {9, 0}}))
	require.Equal(t, []Point{{0, 0}, {9, 0}, {0, 0}}, simplify([]Point{{0, 0}, {9, 0}, {0, 0}}), "there and back")
	require.Len(t, simplify(nil), 0)
}

func TestSimplifyStaysClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		points := make([]Point, n)
		for i := range points {
			points[i] = Point{rapid.Float64Range(0, 20).Draw(t, "x"), rapid.Float64Range(0, 20).Draw(t, "y")}
		}
		short := simplify(points)
		require.Equal(t, points[0], short[0])
		require.Equal(t, points[n-1], short[len(short)-1])
		for _, p := range points {
			nearest := distance(p, short[0], short[0])
			for i := 1; i < len(short); i++ {
				nearest = min(nearest, distance(p, short[i-1], short[i]))
			}
			require.LessOrEqual(t, nearest, tolerance)
		}
	})
}
