package compare

import (
	"fmt"
	"image/color"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
)

// Figure is a finished drawing: an [io.WriterTo] of PNG, which is what notebooks show, with methods PNG and SVG, the same type
// as the figures of reports, and the plot behind it.
type Figure struct {
	figure.Figure
	plot   *gonum.Plot
	legend gonum.Legend // beside the plot, so that it hides nothing
}

// newFigure takes the plot's legend out of it.
func newFigure(p *gonum.Plot) *Figure {
	f := &Figure{plot: p, legend: p.Legend}
	f.Width, f.Height, f.Draw = 18*vg.Centimeter, 11*vg.Centimeter, f.draw
	p.Legend = gonum.NewLegend()
	f.legend.Top, f.legend.Left = true, true
	f.legend.Padding = vg.Points(2)
	f.legend.TextStyle.Font.Size = vg.Points(9)
	return f
}

// Resize sets the size in centimetres and returns the figure. It panics when a side is not positive.
func (f *Figure) Resize(width, height float64) *Figure {
	if !(width > 0) || !(height > 0) {
		panic(fmt.Sprintf("plot: a figure of %v x %v cm", width, height))
	}
	f.Width, f.Height = vg.Length(width)*vg.Centimeter, vg.Length(height)*vg.Centimeter
	return f
}

func (f *Figure) draw(canvas draw.Canvas) {
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	const margin = 8
	beside := f.legend.Rectangle(canvas).Size().X + 2*margin
	f.plot.Draw(draw.Crop(canvas, margin, -beside, margin, -margin))
	f.legend.Draw(draw.Crop(canvas, canvas.Size().X-beside+margin, 0, 0, -3*margin))
}

// palette is Okabe and Ito's, which stays apart for colour-blind readers; black comes last.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
	{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x8c, 0x51, 0x0a, 0xff}, {0x00, 0x00, 0x00, 0xff},
}

var dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(2)}, {vg.Points(1.5), vg.Points(2)}}

var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}}

// styleOf gives series i a line and a glyph; colours repeat with another dash.
func styleOf(i int) (draw.LineStyle, draw.GlyphStyle) {
	c := palette[i%len(palette)]
	line := draw.LineStyle{Color: c, Width: vg.Points(1.2), Dashes: dashes[i/len(palette)%len(dashes)]}
	return line, draw.GlyphStyle{Color: c, Radius: vg.Points(2.2), Shape: glyphs[i%len(glyphs)]}
}

// shade is the colour of a series' band.
func shade(i int) color.Color {
	c := palette[i%len(palette)]
	c.A = 0x30
	return c
}

// finite reports whether a number can be drawn, on a logarithmic axis when log is set.
func finite(v float64, log bool) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!log || v > 0)
}
