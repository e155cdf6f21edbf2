package compare

import (
	"fmt"

	"gonum.org/v1/plot/plotter"

	"github.com/line-ood/goline/internal/figure"
)

// MeanCurves draws the mean insertion curves of a comparison, or with deletion its mean deletion curves, one line for
// each estimator. The vertical axis is the value in units of v(N) - v(∅), the horizontal one the share of players
// that have been added or removed. It returns an error when there is nothing to draw.
func MeanCurves(c *CurveComparison, deletion bool) (*Figure, error) {
	x, what := "share of the players present, the most important first", "insertion"
	if deletion {
		x, what = "share of the players removed, the most important first", "deletion"
	}
	p := figure.NewPlot("", x, "value, as a share of v(N) - v(∅)", textSize)
	drawn := false
	for i, cell := range c.Cells {
		y := cell.Mean.Insertion
		area := cell.Insertion.Mean
		if deletion {
			y, area = cell.Mean.Deletion, cell.Deletion.Mean
		}
		if y == nil {
			continue
		}
		xy := make(plotter.XYs, len(y))
		for k := range y {
			xy[k] = plotter.XY{X: cell.Mean.Share[k], Y: y[k]}
		}
		line := &plotter.Line{XYs: xy, LineStyle: figure.Line(i)}
		p.Add(line)
		p.Legend.Add(fmt.Sprintf("%s (%.3f)", cell.Estimator, area), line)
		drawn = true
	}
	if !drawn {
		return nil, fmt.Errorf("attribution: the comparison has no %s curves to draw", what)
	}
	p.Add(figure.Grid())
	return newFigure(p), nil
}
