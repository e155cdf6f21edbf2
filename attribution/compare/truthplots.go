package compare

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/plotter"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/figure"
)

// Scatter draws estimates against the true values, together with the diagonal. Where an estimate has standard errors
// of a sample, it draws confidence intervals at the level. It returns an error when the lengths differ or a value is
// not finite.
func Scatter(truth []float64, estimates []attribution.Estimate, level float64) (*Figure, error) {
	if len(truth) == 0 || len(estimates) == 0 {
		return nil, fmt.Errorf("attribution: %d estimates of %d values", len(estimates), len(truth))
	}
	p := figure.NewPlot("Estimates against the truth", "Shapley value", "estimate", textSize)
	low, high := slices.Min(truth), slices.Max(truth)
	diagonal, err := plotter.NewLine(plotter.XYs{{X: low, Y: low}, {X: high, Y: high}})
	if err != nil {
		return nil, fmt.Errorf("attribution: the true values: %w", err)
	}
	diagonal.LineStyle = figure.Reference()
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
		dots, err := plotter.NewScatter(s.XYs)
		if err != nil {
			return nil, fmt.Errorf("attribution: values of %s: %w", e.Method, err)
		}
		dots.GlyphStyle = figure.Glyph(i)
		if bars {
			if err := addBars(p, i, e.Method, s); err != nil {
				return nil, err
			}
		}
		p.Add(dots)
		p.Legend.Add(e.Method, dots)
	}
	p.Add(figure.Grid())
	return newFigure(p), nil
}

type scatter struct {
	plotter.XYs
	plotter.YErrors
}

// Overlap draws, for every k from 1 to most (0 for all), the share of the k largest true values that is among the k
// largest estimates. It returns an error when the lengths differ.
func Overlap(truth []float64, estimates []attribution.Estimate, most int) (*Figure, error) {
	if most == 0 {
		most = len(truth)
	}
	if len(truth) == 0 || len(estimates) == 0 || most < 0 || most > len(truth) {
		return nil, fmt.Errorf("attribution: overlap of the %d largest of %d values for %d estimates", most, len(truth),
			len(estimates))
	}
	p := figure.NewPlot("Overlap of the k largest", "k", "overlap", textSize)
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
		line.LineStyle = figure.Line(i)
		p.Add(line)
		p.Legend.Add(e.Method, line)
	}
	p.Add(figure.Grid())
	return newFigure(p), nil
}
