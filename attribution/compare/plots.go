package compare

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/attribution"
)

// Axis is what the cost of an estimate is measured in.
type Axis int

const (
	// Equivalents are forward-equivalents.
	Equivalents Axis = iota
	// Seconds are seconds of wall time.
	Seconds
)

// point is a place of a series with its band.
type point struct{ x, y, lo, hi float64 }

// ErrorVersusCost draws a metric against the cost, one line with its bootstrap band for each estimator. Cost is on a
// logarithmic axis, and so are the errors (MSE, MAE, efficiency residual). Cells without a value, and zeros on a
// logarithmic axis, are left out. It is an error when nothing is left.
func ErrorVersusCost(c *Comparison, metric Metric, axis Axis) (*Figure, error) {
	logY := metric == MSE || metric == MAE || metric == Efficiency
	p := gonum.New()
	p.Title.Text = "Shapley estimators"
	p.X.Label.Text = fmt.Sprintf("forward-equivalents (backward = %g)", c.BackwardCost)
	if axis == Seconds {
		p.X.Label.Text = "seconds"
	}
	p.Y.Label.Text = label(c, metric)
	var names []string // all estimators, so that each has the same colour whatever the metric
	series := map[string][]point{}
	drawn := false
	for i := range c.Cells {
		cell := &c.Cells[i]
		if !slices.Contains(names, cell.Estimator) {
			names = append(names, cell.Estimator)
		}
		b := cell.Bands[metric]
		pt := point{x: cell.Equivalents, y: b.Mean, lo: b.Lo, hi: b.Hi}
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
		slices.SortStableFunc(points, func(a, b point) int {
			switch {
			case a.x < b.x:
				return -1
			case a.x > b.x:
				return 1
			}
			return 0
		})
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
		nominal.Color = color.Gray{0x80}
		p.Add(nominal)
	}
	p.Add(plotter.NewGrid())
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

// addSeries draws a band where there is one, a line and its points.
func addSeries(p *gonum.Plot, i int, name string, points []point, logY bool) error {
	xy := make(plotter.XYs, len(points))
	var upper, lower plotter.XYs
	for j, pt := range points {
		xy[j] = plotter.XY{X: pt.x, Y: pt.y}
		if finite(pt.lo, logY) && finite(pt.hi, logY) {
			upper = append(upper, plotter.XY{X: pt.x, Y: pt.hi})
			lower = append(lower, plotter.XY{X: pt.x, Y: pt.lo})
		}
	}
	if len(upper) > 1 {
		slices.Reverse(lower)
		band, err := plotter.NewPolygon(append(upper, lower...))
		if err != nil {
			return fmt.Errorf("attribution: band of %s: %w", name, err)
		}
		band.Color, band.LineStyle.Width = shade(i), 0
		p.Add(band)
	}
	line, dots, err := plotter.NewLinePoints(xy)
	if err != nil {
		return fmt.Errorf("attribution: line of %s: %w", name, err)
	}
	line.LineStyle, dots.GlyphStyle = styleOf(i)
	p.Add(line, dots)
	p.Legend.Add(name, line, dots)
	return nil
}

// bounds are the extremes of the numbers on an axis.
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
	axis.Tick.Marker = gonum.LogTicks{Prec: -1}
	if b.hi/b.lo < 10 {
		middle := math.Sqrt(b.lo * b.hi)
		axis.Min, axis.Max = middle/math.Sqrt(10), middle*math.Sqrt(10)
	}
}

// Scatter draws estimates against the true values with the diagonal, and where an estimate has standard errors of a
// sample its confidence intervals at the level. It is an error when the lengths differ or a value is not finite.
func Scatter(truth []float64, estimates []attribution.Estimate, level float64) (*Figure, error) {
	if len(truth) == 0 || len(estimates) == 0 {
		return nil, fmt.Errorf("attribution: %d estimates of %d values", len(estimates), len(truth))
	}
	p := gonum.New()
	p.Title.Text = "Estimates against the truth"
	p.X.Label.Text, p.Y.Label.Text = "Shapley value", "estimate"
	low, high := slices.Min(truth), slices.Max(truth)
	diagonal, err := plotter.NewLine(plotter.XYs{{X: low, Y: low}, {X: high, Y: high}})
	if err != nil {
		return nil, fmt.Errorf("attribution: the true values: %w", err)
	}
	diagonal.Color = color.Gray{0x80}
	p.Add(diagonal)
	for i := range estimates {
		e := &estimates[i]
		if len(e.Values) != len(truth) {
			return nil, fmt.Errorf("attribution: %s has %d values, the truth %d", e.Method, len(e.Values), len(truth))
		}
		s := scatter{XYs: make(plotter.XYs, len(truth)), YErrors: make(plotter.YErrors, len(truth))}
		bars := e.DF != nil
		for j, t := range truth {
			s.XYs[j] = plotter.XY{X: t, Y: e.Values[j]}
			lo, hi := e.Interval(j, level)
			s.YErrors[j].Low, s.YErrors[j].High = e.Values[j]-lo, hi-e.Values[j]
			bars = bars && finite(hi-lo, false)
		}
		_, glyph := styleOf(i)
		dots, err := plotter.NewScatter(s.XYs)
		if err != nil {
			return nil, fmt.Errorf("attribution: values of %s: %w", e.Method, err)
		}
		dots.GlyphStyle = glyph
		if bars {
			errors, err := plotter.NewYErrorBars(s)
			if err != nil {
				return nil, fmt.Errorf("attribution: intervals of %s: %w", e.Method, err)
			}
			errors.LineStyle = draw.LineStyle{Color: shade(i), Width: vg.Points(0.8)}
			errors.CapWidth = 0
			p.Add(errors)
		}
		p.Add(dots)
		p.Legend.Add(e.Method, dots)
	}
	p.Add(plotter.NewGrid())
	return newFigure(p), nil
}

type scatter struct {
	plotter.XYs
	plotter.YErrors
}

// Overlap draws, for every k from 1 to most (0 for all), the share of the k largest true values that is among the k
// largest estimates. It is an error when the lengths differ.
func Overlap(truth []float64, estimates []attribution.Estimate, most int) (*Figure, error) {
	if most == 0 {
		most = len(truth)
	}
	if len(truth) == 0 || len(estimates) == 0 || most < 0 || most > len(truth) {
		return nil, fmt.Errorf("attribution: overlap of the %d largest of %d values for %d estimates", most, len(truth), len(estimates))
	}
	p := gonum.New()
	p.Title.Text = "Overlap of the k largest"
	p.X.Label.Text, p.Y.Label.Text = "k", "overlap"
	p.Y.Min, p.Y.Max = 0, 1
	for i := range estimates {
		e := &estimates[i]
		if len(e.Values) != len(truth) {
			return nil, fmt.Errorf("attribution: %s has %d values, the truth %d", e.Method, len(e.Values), len(truth))
		}
		xy := make(plotter.XYs, most)
		for k, share := range OverlapCurve(truth, e.Values)[:most] {
			xy[k] = plotter.XY{X: float64(k + 1), Y: share}
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return nil, fmt.Errorf("attribution: overlap of %s: %w", e.Method, err)
		}
		line.LineStyle, _ = styleOf(i)
		p.Add(line)
		p.Legend.Add(e.Method, line)
	}
	p.Add(plotter.NewGrid())
	return newFigure(p), nil
}
