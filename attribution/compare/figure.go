package compare

import (
	"fmt"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
)

// Figure is a finished drawing. It is an [io.WriterTo] of PNG, which notebooks show, and has methods PNG and SVG, as
// the figures of package report have; notebook.Figure is the interface of both.
type Figure struct {
	figure.Figure
	plot   *gonum.Plot
	beside *gonum.Plot  // a second panel with the same rows, nil for none
	title  string       // over the whole figure, since the plot alone, beside a wide legend, is too narrow for it
	legend gonum.Legend // drawn beside the plot, so that it covers no data
}

// newFigure makes a figure of a plot. It moves the plot's title and legend to the figure, which draws them outside
// the plot.
func newFigure(p *gonum.Plot) *Figure {
	f := &Figure{plot: p, title: p.Title.Text, legend: p.Legend}
	p.Title.Text = ""
	f.Width, f.Height, f.Draw = 18*vg.Centimeter, 11*vg.Centimeter, f.draw
	p.Legend = gonum.NewLegend()
	f.legend.Top, f.legend.Left = true, true
	f.legend.Padding = vg.Points(2)
	return f
}

// Titled sets the title, which should name network, layer and value, and returns the figure.
func (f *Figure) Titled(title string) *Figure {
	f.title = title
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
	const margin = 8
	if f.title != "" {
		style := f.plot.Title.TextStyle
		if width, room := style.Width(f.title), canvas.Size().X-2*margin; width > room {
			style.Font.Size *= room / width
		}
		canvas.FillText(style, vg.Point{X: canvas.Center().X, Y: canvas.Max.Y - margin}, f.title)
		canvas = draw.Crop(canvas, 0, 0, 0, -margin-style.Height(f.title))
	}
	beside := f.legend.Rectangle(canvas).Size().X + 2*margin
	area := draw.Crop(canvas, margin, -beside, margin, -margin)
	if f.beside != nil {
		width := area.Size().X
		figure.DrawPlot(f.beside, draw.Crop(area, 0.68*width, 0, 0, 0))
		area = draw.Crop(area, 0, -0.34*width, 0, 0)
	}
	figure.DrawPlot(f.plot, area)
	f.legend.Draw(draw.Crop(canvas, canvas.Size().X-beside+margin, 0, 0, -3*margin))
}

// finite reports whether a number can be drawn, on a logarithmic axis when log is set.
func finite(v float64, log bool) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!log || v > 0)
}
