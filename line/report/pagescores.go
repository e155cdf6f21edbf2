package report

import (
	"fmt"
	"html/template"
	"math"

	"gonum.org/v1/plot/plotter"

	"github.com/line-ood/goline/internal/figure"
	"github.com/line-ood/goline/internal/figure/chart"
)

// scoreCharts holds the histograms of one method.
type scoreCharts struct {
	legendEntry
	Open   bool
	Panels []panel
}

type panel struct {
	Set string
	SVG template.HTML
}

// histograms draws the scores of one method on every OOD set.
func (c *charts) histograms(i int) (scoreCharts, error) {
	s, m := c.scores[i], c.method[i]
	h, err := bin(s)
	if err != nil {
		return scoreCharts{}, err
	}
	out := scoreCharts{legendEntry: legendEntry{Index: m, Name: printable(s.Method), Class: c.class(m)}}
	out.Open = out.Class != "" && c.slot[m] < 2 || len(c.scores) <= boldCurves
	low, high := h.low, h.high
	for set, o := range s.OOD {
		p := chart.Chart{
			Width: 210, Height: 165,
			Alt: fmt.Sprintf("Histogram of the %s score, ID median %.3g, %s median %.3g.", out.Name, median(s.ID),
				printable(o.Name), median(o.Scores)),
			X: chart.Axis{Name: "score", Low: low, High: high, Ticks: figure.LinearTicks{Most: 4}.Ticks(low, high)},
			Y: chart.Axis{Name: "share of set (%)", Low: 0, High: 1.05 * h.top,
				Ticks: figure.LinearTicks{Most: 4}.Ticks(0, 1.05*h.top)},
		}
		p.Area("id", steps(h.outlines[0]))
		p.Area("ood", steps(h.outlines[set+1]))
		if h.threshold >= low && h.threshold <= high {
			p.Rule("", chart.Point{X: h.threshold, Y: 0}, chart.Point{X: h.threshold, Y: p.Y.High})
		}
		out.Panels = append(out.Panels, panel{printable(o.Name), template.HTML(p.SVG())})
	}
	return out, nil
}

func steps(xys plotter.XYs) []chart.Point {
	out := make([]chart.Point, len(xys))
	for i, p := range xys {
		out[i] = chart.Point{X: p.X, Y: p.Y}
	}
	return out
}

// coverage draws the network's accuracy on the ID samples with the highest scores of each method, against their
// share.
func (c *charts) coverage(outcomes []Outcome) (template.HTML, error) {
	p := chart.Chart{Width: 340, Height: 300, X: percentAxis("coverage: ID samples kept (%)"),
		Alt: "Accuracy of " + printable(c.result.Net) +
			" on the in-distribution samples with the highest scores, by their share."}
	curves := make([][]Coverage, len(c.scores))
	low := 1.0
	for i, s := range c.scores {
		var err error
		if curves[i], err = AccuracyCoverage(s.ID, outcomes); err != nil {
			return "", fmt.Errorf("%w (method %q)", err, s.Method)
		}
		for _, q := range curves[i] {
			if q.Coverage >= 0.1 { // with fewer samples the accuracy is mostly noise
				low = min(low, q.Accuracy)
			}
		}
	}
	floor := max(0, math.Floor(100*low)-1)
	p.Y = chart.Axis{Name: "accuracy (%)", Low: floor, High: 100, Ticks: figure.LinearTicks{}.Ticks(floor, 100)}
	for _, i := range c.order() {
		var points []chart.Point
		for _, q := range curves[i] {
			points = append(points, chart.Point{X: 100 * q.Coverage, Y: max(floor, 100*q.Accuracy)})
		}
		values := ""
		if e := c.result.Methods[c.method[i]].Misclassification; e != nil {
			values = fmt.Sprintf(": AURC %.4f", e.AURC)
		}
		p.Curve(c.series(c.method[i], values), points)
	}
	return template.HTML(p.SVG()), nil
}

// cost draws the average AUROC against the time to score a sample.
func cost(r Result, class func(method int) string) template.HTML {
	low, high := math.Inf(1), 0.0
	worst, best := 1.0, 0.0
	for _, m := range r.Methods {
		if m.MicrosPerSample > 0 {
			low, high = min(low, m.MicrosPerSample), max(high, m.MicrosPerSample)
			worst, best = min(worst, m.Average().AUROC), max(best, m.Average().AUROC)
		}
	}
	if high == 0 {
		return ""
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)*1.0001+0.0001))
	bottom, top := max(0, math.Floor(100*worst)-1), min(100, math.Ceil(100*best)+1)
	p := chart.Chart{Width: 340, Height: 300,
		Alt: "Average AUROC of each method against the time that it takes for a sample.",
		X: chart.Axis{Name: "time to score a sample (µs)", Low: low, High: high, Log: true,
			Ticks: figure.LogTicks{}.Ticks(low, high)},
		Y: chart.Axis{Name: "average AUROC (%)", Low: bottom, High: top, Ticks: figure.LinearTicks{}.Ticks(bottom,
			top)}}
	for i, m := range r.Methods {
		if m.MicrosPerSample <= 0 {
			continue
		}
		at := chart.Point{X: m.MicrosPerSample, Y: 100 * m.Average().AUROC}
		s := chart.Series{Index: i, Class: class(i), Title: fmt.Sprintf("%s: %.2f %%, %.3g µs", printable(m.Name), at.Y,
			at.X)}
		p.Dot(s, at)
		p.Label(s, at, shorten(m.Name, 18))
	}
	return template.HTML(p.SVG())
}
