package figure

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// DrawPlot draws a plot with its axis labels centred along the data. The plotting library reserves space for a label as
// if the middle of its axis were the mean of the axis' ends. On a logarithmic axis that mean lies near one end, and the
// reserved space takes away a part of the figure.
func DrawPlot(p *plot.Plot, c draw.Canvas) {
	q := *p
	q.X.Label.Text, q.Y.Label.Text = "", ""
	x, y := p.X.Label.TextStyle, p.Y.Label.TextStyle
	room := func(text string, style vg.Length) vg.Length {
		if text == "" {
			return 0
		}
		return style + vg.Points(4)
	}
	below := room(p.X.Label.Text, x.Height(p.X.Label.Text))
	beside := room(p.Y.Label.Text, y.Height(p.Y.Label.Text))
	area := draw.Crop(c, beside, 0, below, 0)
	q.Draw(area)
	data := q.DataCanvas(area)
	x.XAlign, x.YAlign = draw.XCenter, draw.YBottom
	c.FillText(x, vg.Point{X: data.Center().X, Y: c.Min.Y}, p.X.Label.Text)
	y.XAlign, y.YAlign = draw.XCenter, draw.YTop
	y.Rotation = math.Pi / 2
	c.FillText(y, vg.Point{X: c.Min.X, Y: data.Center().Y}, p.Y.Label.Text)
}
