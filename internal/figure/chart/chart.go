// Package chart draws small charts as SVG elements of an HTML page. Unlike the drawings of package figure they have no
// colours: lines and text take the page's colour (currentColor), and marks have classes and data-m attributes, by which
// the page's style sheet and script find them.
//
// Classes: chart (the element), grid, tick, name (of an axis), curve and dot (of a series), area, rule.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// Axis is one side of a chart.
type Axis struct {
	Name      string
	Low, High float64 // Low < High, both above 0 if Log
	Log       bool
	Ticks     []plot.Tick
}

// at returns the relative position of a value on the axis: 0 at its low end, 1 at its high end.
func (a Axis) at(v float64) float64 {
	if a.Log {
		return math.Log(v/a.Low) / math.Log(a.High/a.Low)
	}
	return (v - a.Low) / (a.High - a.Low)
}

// Point is a place in the units of the axes.
type Point struct{ X, Y float64 }

// Series says which series a mark belongs to: Index becomes its data-m attribute, Class is added to its classes, and
// Title is shown when a pointer rests on it.
type Series struct {
	Index int
	Class string
	Title string
}

// Chart collects marks over two axes. Sizes are in units of the viewBox, in which text is 12 units high; the page
// scales the whole chart.
type Chart struct {
	Alt           string // what the chart shows, in words
	Width, Height float64
	X, Y          Axis
	marks         strings.Builder
}

// Margins around the data.
const (
	left, right, top, bottom = 44.0, 12.0, 8.0, 40.0
)

func (c *Chart) x(v float64) float64 { return left + c.X.at(v)*(c.Width-left-right) }
func (c *Chart) y(v float64) float64 { return c.Height - bottom - c.Y.at(v)*(c.Height-top-bottom) }

// Curve draws a line through points. It leaves out points that make no visible difference.
func (c *Chart) Curve(s Series, points []Point) {
	c.series(s, "curve", `<path d="`+path(simplify(c.place(points)))+`"/>`)
}

// Dot draws a point.
func (c *Chart) Dot(s Series, p Point) {
	c.series(s, "dot", fmt.Sprintf(`<circle cx="%s" cy="%s" r="4"/>`, coordinate(c.x(p.X)), coordinate(c.y(p.Y))))
}

// Label writes text beside a point, on the side where there is room for it.
func (c *Chart) Label(s Series, p Point, text string) {
	x, anchor, shift := c.x(p.X), "start", 7.0
	if x > c.Width/2 {
		anchor, shift = "end", -7
	}
	c.series(s, "label", fmt.Sprintf(`<text x="%s" y="%s" text-anchor="%s">%s</text>`,
		coordinate(x+shift), coordinate(c.y(p.Y)+4), anchor, html.EscapeString(text)))
}

func (c *Chart) series(s Series, kind, mark string) {
	class := strings.TrimSpace(kind + " " + s.Class)
	fmt.Fprintf(&c.marks, `<g class="%s" data-m="%d"><title>%s</title>%s</g>`+"\n", html.EscapeString(class), s.Index,
		html.EscapeString(s.Title), mark)
}

// Area draws a filled shape with an outline.
func (c *Chart) Area(class string, points []Point) { c.plain("area "+class, points) }

// Rule draws a line that belongs to no series.
func (c *Chart) Rule(class string, points ...Point) { c.plain("rule "+class, points) }

func (c *Chart) plain(class string, points []Point) {
	fmt.Fprintf(&c.marks, `<path class="%s" d="%s"/>`+"\n", html.EscapeString(strings.TrimSpace(class)),
		path(simplify(c.place(points))))
}

func (c *Chart) place(points []Point) []Point {
	out := make([]Point, len(points))
	for i, p := range points {
		out[i] = Point{c.x(p.X), c.y(p.Y)}
	}
	return out
}

// SVG returns the chart as one element.
func (c *Chart) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n",
		coordinate(c.Width), coordinate(c.Height), html.EscapeString(c.Alt))
	c.axes(&b)
	b.WriteString(c.marks.String())
	b.WriteString("</svg>")
	return b.String()
}

// axes draws grid, numbers and names.
func (c *Chart) axes(b *strings.Builder) {
	x0, x1, y0, y1 := left, c.Width-right, c.Height-bottom, top
	var grid strings.Builder
	for _, t := range c.X.Ticks {
		x := coordinate(c.x(t.Value))
		if t.Label != "" {
			fmt.Fprintf(&grid, "M%s %sV%s", x, coordinate(y0), coordinate(y1))
			fmt.Fprintf(b, `<text class="tick" x="%s" y="%s" text-anchor="middle">%s</text>`+"\n", x, coordinate(y0+14),
				html.EscapeString(t.Label))
		}
	}
	for _, t := range c.Y.Ticks {
		y := c.y(t.Value)
		if t.Label != "" {
			fmt.Fprintf(&grid, "M%s %sH%s", coordinate(x0), coordinate(y), coordinate(x1))
			fmt.Fprintf(b, `<text class="tick" x="%s" y="%s" text-anchor="end">%s</text>`+"\n", coordinate(x0-5),
				coordinate(y+4), html.EscapeString(t.Label))
		}
	}
	fmt.Fprintf(b, `<path class="grid" d="%s"/>`+"\n", grid.String())
	fmt.Fprintf(b, `<text class="name" x="%s" y="%s" text-anchor="middle">%s</text>`+"\n",
		coordinate((x0+x1)/2), coordinate(c.Height-8), html.EscapeString(c.X.Name))
	fmt.Fprintf(b, `<text class="name" transform="translate(11 %s) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		coordinate((y0+y1)/2), html.EscapeString(c.Y.Name))
}

// path writes points as path data, to a tenth of a unit.
func path(points []Point) string {
	var b strings.Builder
	for i, p := range points {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(coordinate(p.X))
		b.WriteByte(' ')
		b.WriteString(coordinate(p.Y))
	}
	return b.String()
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
