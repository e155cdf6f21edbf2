package figure

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours of Okabe and Ito (Color Universal Design, 2008), which people with any colour vision can tell apart, without
// their yellow, which is hard to see on white.
var (
	Blue       = color.NRGBA{R: 0x00, G: 0x72, B: 0xb2, A: 0xff}
	Vermillion = color.NRGBA{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff}
	Grey       = color.NRGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff}
	faint      = color.NRGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
	palette    = []color.NRGBA{
		Blue,
		Vermillion,
		{R: 0x00, G: 0x9e, B: 0x73, A: 0xff}, // bluish green
		{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff}, // reddish purple
		{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, // orange
		{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff}, // sky blue
		{A: 0xff},                            // black
	}
	dashes = [][]vg.Length{nil, {6, 2}, {2, 2}, {8, 2, 2, 2}}
	glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{},
		draw.RingGlyph{}}
)

// Colour returns the colour of series i.
func Colour(i int) color.NRGBA { return palette[i%len(palette)] }

// Shade returns the colour of the band around series i.
func Shade(i int) color.NRGBA {
	c := Colour(i)
	c.A = 0x30
	return c
}

// Line returns the style of the line of series i. Series differ in dashes as well as in colour.
func Line(i int) draw.LineStyle {
	return draw.LineStyle{Color: Colour(i), Width: vg.Points(1.5), Dashes: dashes[(i+i/len(palette))%len(dashes)]}
}

// Glyph returns the style of the points of series i.
func Glyph(i int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: Colour(i), Radius: vg.Points(2.4), Shape: glyphs[i%len(glyphs)]}
}

// Reference returns the style of lines that belong to no series: chance, a nominal level, the diagonal.
func Reference() draw.LineStyle {
	return draw.LineStyle{Color: Grey, Width: vg.Points(0.8), Dashes: []vg.Length{4, 3}}
}

// Sans returns the font of all text, in the given size.
func Sans(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// Text returns the style of text of the given size.
func Text(size vg.Length) text.Style {
	return text.Style{Color: color.Black, Font: Sans(size), Handler: plot.DefaultTextHandler}
}

// NewPlot returns an empty plot in the style of all figures, with text of the given size and [LinearTicks] on both
// axes.
func NewPlot(title, x, y string, size vg.Length) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the page's own colour
	p.Title.Text = title
	p.Title.TextStyle.Font = Sans(size + 1)
	p.Title.Padding = vg.Points(3)
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = Sans(size)
		axis.Tick.Label.Font = Sans(size - 1)
		axis.Label.Padding = vg.Points(2)
		axis.Tick.Marker = LinearTicks{}
	}
	p.Legend.TextStyle.Font = Sans(size)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)
	p.Legend.ThumbnailWidth = vg.Points(26)
	p.Legend.YPosition = draw.PosCenter
	return p
}

// Grid returns faint lines at the ticks.
func Grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = faint, faint
	return g
}
