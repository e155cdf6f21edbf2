package report

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
	"github.com/line-ood/goline/line/metrics"
)

// Curve holds one method's scores on one pair of sets, higher = more in-distribution.
type Curve struct {
	Name    string    // what the legend calls it
	ID, OOD []float64 // of the samples of either set, at least one each
}

// ROC draws the receiver operating characteristics of several methods on one OOD set, with ID as the positive class,
// both axes in percent, and a legend beside the curves with each AUROC. It is an error if there is no curve, or if a
// curve's scores are empty or hold a NaN.
func ROC(title string, curves []Curve) (*Figure, error) {
	if len(curves) == 0 {
		return nil, fmt.Errorf("report: ROC of %q: no curves", title)
	}
	p := figure.NewPlot(shorten(title, 60), "False positive rate: OOD accepted (%)",
		"True positive rate: ID accepted (%)", 10)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 100, 0, 100
	p.X.Tick.Marker, p.Y.Tick.Marker = tens{}, tens{}
	p.Add(figure.Grid())

	chance := straight(0, 0, 100, 100)
	level := straight(0, 95, 100, 95)
	level.Dashes = []vg.Length{1, 2}
	p.Add(chance, level)

	var alt []string
	for i, c := range curves {
		points, err := metrics.ROC(c.ID, c.OOD)
		if err != nil {
			return nil, fmt.Errorf("report: ROC of %q, %q: %w", title, c.Name, err)
		}
		auroc, err := metrics.AUROC(c.ID, c.OOD)
		if err != nil {
			return nil, fmt.Errorf("report: ROC of %q, %q: %w", title, c.Name, err)
		}
		line := &plotter.Line{XYs: thin(points), LineStyle: figure.Line(i)}
		p.Add(line)
		p.Legend.Add(fmt.Sprintf("%s (%.2f)", shorten(c.Name, 28), 100*auroc), line)
		alt = append(alt, fmt.Sprintf("%s %.2f", printable(c.Name), 100*auroc))
	}
	p.Legend.Add("95 % of ID accepted", level)
	p.Legend.Add("chance (50.00)", chance)

	legend := p.Legend
	p.Legend = plot.NewLegend()
	p.Legend.TextStyle = legend.TextStyle
	const side = 4.3 * vg.Inch
	width := legendWidth(legend)
	return &Figure{
		Alt:    fmt.Sprintf("ROC curves on %s. AUROC in percent: %s.", printable(title), strings.Join(alt, ", ")),
		Width:  side + width,
		Height: side,
		Draw: func(c draw.Canvas) {
			p.Draw(draw.Crop(c, vg.Points(4), -width-vg.Points(10), vg.Points(4), -vg.Points(4)))
			head := legend.TextStyle
			right := draw.Crop(c, side, 0, 0, -vg.Points(30))
			right.FillText(head, vg.Point{X: right.Min.X, Y: right.Max.Y}, "Method (AUROC in %)")
			legend.Draw(draw.Crop(right, 0, 0, 0, -vg.Points(6)))
		},
	}, nil
}

func legendWidth(l plot.Legend) vg.Length {
	r := l.Rectangle(draw.Canvas{Rectangle: vg.Rectangle{Max: vg.Point{X: 1000, Y: 1000}}})
	return max(r.Max.X-r.Min.X, l.TextStyle.Width("Method (AUROC in %)")) + vg.Points(16)
}

// thin returns the curve in percent, without points that would not be visible: those that round to the same 2000th of
// an axis as the point before, and those inside a straight horizontal or vertical run.
func thin(points []metrics.Point) plotter.XYs {
	const steps = 2000
	snap := func(v float64) float64 { return math.Round(v*steps) * 100 / steps }
	var out plotter.XYs
	for _, p := range points {
		next := plotter.XY{X: snap(p.FPR), Y: snap(p.TPR)}
		if n := len(out); n > 0 && out[n-1] == next {
			continue
		} else if n > 1 && (out[n-2].X == out[n-1].X && out[n-1].X == next.X ||
			out[n-2].Y == out[n-1].Y && out[n-1].Y == next.Y) {
			out = out[:n-1]
		}
		out = append(out, next)
	}
	return out
}

// straight returns a reference line from one point to another.
func straight(x0, y0, x1, y1 float64) *plotter.Line {
	return &plotter.Line{XYs: plotter.XYs{{X: x0, Y: y0}, {X: x1, Y: y1}}, LineStyle: figure.Reference()}
}

// tens places a mark with a number at every 20 percent and one without at every 10.
type tens struct{}

// Ticks returns the marks.
func (tens) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for v := 0; v <= 100; v += 10 {
		t := plot.Tick{Value: float64(v)}
		if v%20 == 0 {
			t.Label = fmt.Sprint(v)
		}
		ticks = append(ticks, t)
	}
	return ticks
}
