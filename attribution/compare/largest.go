package compare

import (
	"fmt"
	"slices"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/figure"
)

// Weights holds one more number for each player, drawn beside its value, such as the weights of neurons to a class.
type Weights struct {
	// Label names the axis.
	Label string
	// Values has one number for each player; with nil there is no such panel.
	Values []float64
}

// LargestValues draws the k players with the largest values in the first estimate, the largest on top, one row for
// each player. A row shows the player's value in every estimate (all must be of one game), with a confidence interval
// at the level where the estimate has one, and in a second panel the player's weight. It returns an error when there
// are no estimates, when lengths differ, when k is not between 1 and the number of players, and when a value is not
// finite.
func LargestValues(estimates []attribution.Estimate, k int, level float64, weights Weights) (*Figure, error) {
	if len(estimates) == 0 {
		return nil, fmt.Errorf("attribution: largest values: expected at least one estimate, got none")
	}
	players := len(estimates[0].Values)
	if k < 1 || k > players {
		return nil, fmt.Errorf("attribution: expected 1 to %d of the largest values, got %d", players, k)
	}
	if weights.Values != nil && len(weights.Values) != players {
		return nil, fmt.Errorf("attribution: largest values: expected %d weights, got %d", players, len(weights.Values))
	}
	order := estimate.Largest(estimates[0].Values, k)
	slices.Reverse(order) // the vertical axis goes upwards, and the largest belongs on top
	p := figure.NewPlot("Largest Shapley values", "Shapley value", "", textSize)
	p.Add(figure.Grid(), upright(k))
	for i := range estimates {
		e := &estimates[i]
		if len(e.Values) != players {
			return nil, fmt.Errorf("attribution: %s has %d values, %s %d", e.Method, len(e.Values),
				estimates[0].Method, players)
		}
		// Estimates lie below one another in the row of their player.
		shift := (float64(len(estimates)-1)/2 - float64(i)) * 0.7 / float64(len(estimates))
		spanned, err := addRows(p, i, e, order, shift, level)
		if err != nil {
			return nil, err
		}
		if spanned {
			p.X.Label.Text = fmt.Sprintf("Shapley value with %g %% interval", 100*level)
		}
	}
	rows(p, k, func(row int) string { return playerName(&estimates[0], order[row]) })
	f := newFigure(p)
	f.Height = vg.Length(2.5+max(0.55, 0.3*float64(len(estimates)))*float64(k)) * vg.Centimeter
	if weights.Values == nil {
		return f, nil
	}
	beside := figure.NewPlot("", weights.Label, "", textSize)
	chosen := make(plotter.Values, k)
	for row, player := range order {
		chosen[row] = weights.Values[player]
	}
	bars, err := plotter.NewBarChart(chosen, vg.Points(7))
	if err != nil {
		return nil, fmt.Errorf("attribution: weights: %w", err)
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, figure.Grey, 0
	beside.Add(figure.Grid(), bars, upright(k))
	rows(beside, k, func(int) string { return "" })
	f.beside = beside
	return f, nil
}

// rows divides the vertical axis into k rows with names.
func rows(p *gonum.Plot, k int, name func(row int) string) {
	p.Y.Min, p.Y.Max = -0.5, float64(k)-0.5
	p.Y.Tick.Length = 0
	p.X.Tick.Marker = figure.LinearTicks{Most: 5}
	ticks := make([]gonum.Tick, k)
	for row := range ticks {
		ticks[row] = gonum.Tick{Value: float64(row), Label: name(row)}
	}
	p.Y.Tick.Marker = gonum.ConstantTicks(ticks)
}

// upright is a vertical line at 0 through k rows.
func upright(k int) *plotter.Line {
	return &plotter.Line{XYs: plotter.XYs{{X: 0, Y: -0.5}, {X: 0, Y: float64(k) - 0.5}}, LineStyle: figure.Reference()}
}

// addRows draws the values of one estimate, one in each row, with their intervals where they are known, and reports
// whether any interval was drawn. The legend says so where an estimate by sampling has no intervals.
func addRows(p *gonum.Plot, i int, e *attribution.Estimate, order []int, shift, level float64) (spanned bool,
	err error) {
	xy := make(plotter.XYs, len(order))
	var spans struct {
		plotter.XYs
		plotter.XErrors
	}
	for row, player := range order {
		xy[row] = plotter.XY{X: e.Values[player], Y: float64(row) + shift}
		lo, hi := e.Interval(player, level)
		if e.DF != nil && finite(lo, false) && finite(hi, false) {
			spans.XYs = append(spans.XYs, xy[row])
			spans.XErrors = append(spans.XErrors,
				struct{ Low, High float64 }{e.Values[player] - lo, hi - e.Values[player]})
		}
	}
	dots, err := plotter.NewScatter(xy)
	if err != nil {
		return false, fmt.Errorf("attribution: values of %s: %w", e.Method, err)
	}
	dots.GlyphStyle = figure.Glyph(i)
	if spans.XYs != nil {
		bars, err := plotter.NewXErrorBars(spans)
		if err != nil {
			return false, fmt.Errorf("attribution: intervals of %s: %w", e.Method, err)
		}
		bars.LineStyle = draw.LineStyle{Color: figure.Colour(i), Width: vg.Points(1)}
		bars.CapWidth = vg.Points(4)
		p.Add(bars)
	}
	p.Add(dots)
	name := e.Method
	if e.DF != nil && spans.XYs == nil {
		name += ", no intervals"
	}
	p.Legend.Add(name, dots)
	return spans.XYs != nil, nil
}

// playerName names a player, by its index where the game has no names.
func playerName(e *attribution.Estimate, player int) string {
	if e.Names == nil {
		return fmt.Sprint(player)
	}
	return e.Names[player]
}
