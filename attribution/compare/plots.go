package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
)

// textSize is the size of the text in figures, in points.
const textSize = 10

// Axis is the unit in which the cost of an estimate is measured.
type Axis int

const (
	// Equivalents are forward-equivalents.
	Equivalents Axis = iota
	// Seconds are seconds of wall time.
	Seconds
)

// point is a point of a line with the ends of its band, and the budget that it belongs to.
type point struct{ budget, x, y, lo, hi float64 }

// ErrorVersusCost draws a metric against the cost, one line with its bootstrap band for each estimator. Points are
// joined in the order of budgets, and only where each budget cost more than the one before. An estimator that ignores
// its budget, or whose times do not grow with it, gets points with error bars and no line. Cost is on a logarithmic
// axis, and so are errors (MSE, MAE, efficiency residual). Cells without a value, and zeros on a logarithmic axis,
// are left out. It returns an error when nothing is left.
func ErrorVersusCost(c *Comparison, metric Metric, axis Axis) (*Figure, error) {
	logY := metric == MSE || metric == MAE || metric == Efficiency
	cost := fmt.Sprintf("forward-equivalents (backward = %g)", c.BackwardCost)
	if axis == Seconds {
		cost = "seconds"
	}
	p := figure.NewPlot("Shapley estimators", cost, label(c, metric), textSize)
	var names []string // all estimators, so that each has the same colour whatever the metric
	series := map[string][]point{}
	drawn := false
	for i := range c.Cells {
		cell := &c.Cells[i]
		if !slices.Contains(names, cell.Estimator) {
			names = append(names, cell.Estimator)
		}
		b := cell.Bands[metric]
		pt := point{budget: cell.Budget, x: cell.Equivalents, y: b.Mean, lo: b.Lo, hi: b.Hi}
		if axis == Seconds {
			pt.x = cell.Seconds
		}
		if finite(pt.x, true) && finite(pt.y, logY) {
			series[cell.Estimator] = append(series[cell.Estimator], pt)
			drawn = true
		}
	}
	if !drawn {
		return nil, fmt.Errorf("attribution: the comparison has no %v to draw", metric)
	}
	costs, values := bounds{}, bounds{}
	for i, name := range names {
		points := series[name]
		if points == nil {
			continue
		}
		slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.budget, b.budget) })
		for _, pt := range points {
			costs.take(pt.x)
			values.take(pt.y)
		}
		if err := addSeries(p, i, name, points, logY); err != nil {
			return nil, err
		}
	}
	logScale(&p.X, costs)
	switch metric {
	case MSE, MAE, Efficiency:
		logScale(&p.Y, values)
	case Precision, Sign, IntervalCoverage:
		p.Y.Min, p.Y.Max = 0, 1
	}
	if metric == IntervalCoverage {
		nominal, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: c.Level}, {X: p.X.Max, Y: c.Level}})
		if err != nil {
			return nil, fmt.Errorf("attribution: nominal coverage: %w", err)
		}
		nominal.LineStyle = figure.Reference()
		p.Add(nominal)
	}
	p.Add(figure.Grid())
	return newFigure(p), nil
}

// label names a metric on an axis.
func label(c *Comparison, metric Metric) string {
	switch metric {
	case MSE:
		return "mean squared error"
	case MAE:
		return "mean absolute error"
	case SpearmanRho:
		return "Spearman correlation"
	case KendallTau:
		return "Kendall τ-b"
	case Precision:
		return fmt.Sprintf("precision@%d", c.K)
	case Sign:
		return "sign agreement"
	case Efficiency:
		return "absolute efficiency residual"
	case IntervalCoverage:
		return fmt.Sprintf("coverage of %g %% intervals", 100*c.Level)
	}
	return metric.String()
}

// addSeries draws points in the order of budgets: as a line with a band where the costs grow, and otherwise as single
// points.
func addSeries(p *gonum.Plot, i int, name string, points []point, logY bool) error {
	xy := make(plotter.XYs, len(points))
	var upper, lower plotter.XYs
	var bars scatter
	ordered := true
	for j, pt := range points {
		xy[j] = plotter.XY{X: pt.x, Y: pt.y}
		ordered = ordered && (j == 0 || pt.x > points[j-1].x)
		if finite(pt.lo, logY) && finite(pt.hi, logY) {
			upper = append(upper, plotter.XY{X: pt.x, Y: pt.hi})
			lower = append(lower, plotter.XY{X: pt.x, Y: pt.lo})
			bars.XYs = append(bars.XYs, xy[j])
			bars.YErrors = append(bars.YErrors, struct{ Low, High float64 }{pt.y - pt.lo, pt.hi - pt.y})
		}
	}
	dots, err := plotter.NewScatter(xy)
	if err != nil {
		return fmt.Errorf("attribution: points of %s: %w", name, err)
	}
	dots.GlyphStyle = figure.Glyph(i)
	if !ordered || len(points) == 1 {
		if err := addBars(p, i, name, bars); err != nil {
			return err
		}
		p.Add(dots)
		p.Legend.Add(name, dots)
		return nil
	}
	if len(upper) > 1 {
		slices.Reverse(lower)
		band, err := plotter.NewPolygon(append(upper, lower...))
		if err != nil {
			return fmt.Errorf("attribution: band of %s: %w", name, err)
		}
		band.Color, band.LineStyle.Width = figure.Shade(i), 0
		p.Add(band)
	}
	line := &plotter.Line{XYs: xy, LineStyle: figure.Line(i)}
	p.Add(line, dots)
	p.Legend.Add(name, line, dots)
	return nil
}

// addBars draws intervals as error bars; without intervals it draws nothing.
func addBars(p *gonum.Plot, i int, name string, s scatter) error {
	if len(s.XYs) == 0 {
		return nil
	}
	bars, err := plotter.NewYErrorBars(s)
	if err != nil {
		return fmt.Errorf("attribution: intervals of %s: %w", name, err)
	}
	bars.LineStyle = draw.LineStyle{Color: figure.Shade(i), Width: vg.Points(0.8)}
	bars.CapWidth = 0
	p.Add(bars)
	return nil
}

// bounds are the smallest and the largest number on an axis.
type bounds struct {
	lo, hi float64
	any    bool
}

func (b *bounds) take(v float64) {
	if !b.any {
		*b = bounds{v, v, true}
	}
	b.lo, b.hi = min(b.lo, v), max(b.hi, v)
}

// logScale makes an axis logarithmic. Less than a decade is widened to one, so that there are ticks to read.
func logScale(axis *gonum.Axis, b bounds) {
	axis.Scale = gonum.LogScale{}
	axis.Tick.Marker = figure.LogTicks{}
	if b.hi/b.lo < 10 {
		middle := math.Sqrt(b.lo * b.hi)
		axis.Min, axis.Max = middle/math.Sqrt(10), middle*math.Sqrt(10)
	}
}
