package report

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
)

// Histograms draws one panel for each OOD set, with the distributions of the method's scores over it and over the ID
// set, in percent of each set per bin. All panels share bins and axes. The first and last bin also hold the scores
// beyond them. A dashed line marks the threshold that keeps about 95 % of ID (metrics.Threshold95). It is an error if
// there is no OOD set, or if a set is empty, holds a NaN, or has no finite score.
func Histograms(s Scores) (*Figure, error) {
	h, err := bin(s)
	if err != nil {
		return nil, err
	}
	cols := min(4, len(s.OOD))
	rows := (len(s.OOD) + cols - 1) / cols
	panels := make([][]*plot.Plot, rows)
	for r := range panels {
		panels[r] = make([]*plot.Plot, cols)
	}
	for i, o := range s.OOD {
		x, y := "", ""
		if i+cols >= len(s.OOD) { // the panel is the lowest of its column
			x = "score (higher = more ID)"
		}
		if i%cols == 0 {
			y = "share of set (%)"
		}
		p := figure.NewPlot(shorten(o.Name, 24), x, y, 9)
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = h.low, h.high, 0, 1.05*h.top
		p.X.Tick.Marker, p.Y.Tick.Marker = figure.LinearTicks{Most: 4}, figure.LinearTicks{Most: 5}
		p.Add(filled(h.outlines[0]), outlined(h.outlines[i+1]))
		if h.threshold >= h.low && h.threshold <= h.high {
			p.Add(straight(h.threshold, 0, h.threshold, p.Y.Max))
		}
		panels[i/cols][i%cols] = p
	}
	const legend, panelWidth, panelHeight = 34 * vg.Length(1), 2.3 * vg.Inch, 1.9 * vg.Inch
	title := fmt.Sprintf("%s: scores of %d ID samples and of each OOD set", shorten(s.Method, 40), len(s.ID))
	return &Figure{
		Alt:    s.alt(),
		Width:  max(vg.Length(cols)*panelWidth, 5.6*vg.Inch),
		Height: vg.Length(rows)*panelHeight + legend,
		Draw: func(c draw.Canvas) {
			drawKey(draw.Crop(c, vg.Points(6), 0, c.Max.Y-legend, 0), title)
			area := draw.Crop(c, 0, 0, 0, -legend)
			tiles := draw.Tiles{Rows: rows, Cols: cols, PadX: vg.Points(4), PadY: vg.Points(4), PadRight: vg.Points(8),
				PadLeft: vg.Points(2), PadBottom: vg.Points(2)}
			for r, canvases := range plot.Align(panels, tiles, area) {
				for col, canvas := range canvases {
					if p := panels[r][col]; p != nil {
						p.Draw(canvas)
					}
				}
			}
		},
	}, nil
}

// drawKey writes the title and, below it, what the marks mean.
func drawKey(c draw.Canvas, title string) {
	big, small := figure.Text(11), figure.Text(9)
	c.FillText(big, vg.Point{X: c.Min.X, Y: c.Max.Y - 13}, title)
	x, y := c.Min.X, c.Max.Y-28
	const box = vg.Length(18)
	for _, entry := range []struct {
		text string
		draw func(draw.Canvas)
	}{
		{"in-distribution", func(c draw.Canvas) {
			c.FillPolygon(idFill, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
		}},
		{"out-of-distribution", func(c draw.Canvas) {
			c.StrokeLine2(oodLine, c.Min.X, c.Center().Y, c.Max.X, c.Center().Y)
		}},
		{"threshold keeping 95 % of ID", func(c draw.Canvas) {
			c.StrokeLine2(straight(0, 0, 0, 0).LineStyle, c.Min.X, c.Center().Y, c.Max.X, c.Center().Y)
		}},
	} {
		entry.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: y - 1}, Max: vg.Point{X: x + box, Y: y + 7},
		}})
		c.FillText(small, vg.Point{X: x + box + 4, Y: y}, entry.text)
		x += box + 4 + small.Width(entry.text) + 14
	}
}

var (
	idFill  = color.NRGBA{R: figure.Blue.R, G: figure.Blue.G, B: figure.Blue.B, A: 0x70}
	oodLine = draw.LineStyle{Color: figure.Vermillion, Width: vg.Points(1.3)}
)

func filled(xys plotter.XYs) *plotter.Polygon {
	return &plotter.Polygon{XYs: []plotter.XYs{xys}, Color: idFill, LineStyle: draw.LineStyle{Color: figure.Blue,
		Width: vg.Points(0.6)}}
}

func outlined(xys plotter.XYs) *plotter.Line {
	return &plotter.Line{XYs: xys, LineStyle: oodLine}
}
