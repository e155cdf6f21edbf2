package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/figure"
	"github.com/line-ood/goline/internal/figure/chart"
	"github.com/line-ood/goline/line/metrics"
)

// boldCurves is the number of methods with coloured curves. The curves of the others are faint until a method is
// pointed at.
const boldCurves = 6

// charts draws the figures of a page.
type charts struct {
	result Result
	scores []Scores
	method []int       // for each entry of scores, its method's index in the result
	slot   map[int]int // colour by a method's index; methods without one are drawn faint
}

// setCharts holds the curves of all methods on one OOD set.
type setCharts struct {
	Set     string
	ROC, PR template.HTML
	Legend  []legendEntry
}

// legendEntry is a method in a legend. It is hidden until the method is pointed at, unless Class is the class of a
// colour.
type legendEntry struct {
	Index               int
	Name, Class, Values string
}

// newCharts checks that scores belong to the result's methods and sets. It chooses the methods with colours: LINe,
// and those with the highest average AUROC.
func newCharts(r Result, scores []Scores) (*charts, error) {
	c := &charts{result: r, scores: scores, slot: map[int]int{}}
	if err := unique("scores of method", len(scores), func(i int) string { return scores[i].Method }); err != nil {
		return nil, err
	}
	for _, s := range scores {
		i := r.index(s.Method)
		if i < 0 {
			return nil, fmt.Errorf("report: scores of method %q, which the result does not have", s.Method)
		}
		if !slices.EqualFunc(s.OOD, r.Methods[i].OOD, func(a NamedScores, b OOD) bool { return a.Name == b.Name }) {
			return nil, fmt.Errorf("report: scores of method %q: expected the OOD sets %q, got others", s.Method,
				names(r.Methods[i]))
		}
		c.method = append(c.method, i)
	}
	order := slices.Clone(c.method)
	if len(order) == 0 { // without curves the colours are for the other figures
		for i := range r.Methods {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		first := func(i int) int {
			if r.Methods[i].Name == ours {
				return 0
			}
			return 1
		}
		return cmp.Or(first(a)-first(b), cmp.Compare(r.Methods[b].Average().AUROC, r.Methods[a].Average().AUROC))
	})
	for slot, i := range order[:min(boldCurves, len(order))] {
		c.slot[i] = slot
	}
	return c, nil
}

// class returns the CSS class of a method's colour, "" for none.
func (c *charts) class(method int) string {
	if slot, bold := c.slot[method]; bold {
		return fmt.Sprintf("c%d", slot)
	}
	return ""
}

// order lists the indices of scores in the order of drawing: the most important method comes last, on top of the
// others.
func (c *charts) order() []int {
	out := make([]int, len(c.scores))
	for i := range out {
		out[i] = i
	}
	place := func(i int) int {
		if slot, bold := c.slot[c.method[i]]; bold {
			return slot
		}
		return boldCurves
	}
	slices.SortStableFunc(out, func(a, b int) int { return place(b) - place(a) })
	return out
}

func (c *charts) series(method int, values string) chart.Series {
	return chart.Series{Index: method, Class: c.class(method), Title: printable(c.result.Methods[method].Name) + values}
}

// percentAxis returns an axis from 0 to 100.
func percentAxis(name string) chart.Axis {
	return chart.Axis{Name: name, Low: 0, High: 100, Ticks: figure.LinearTicks{}.Ticks(0, 100)}
}

// curves draws the receiver operating characteristics and precision against recall on one OOD set.
func (c *charts) curves(set int) (setCharts, error) {
	name := printable(c.result.Methods[0].OOD[set].Name)
	net := printable(c.result.Net)
	roc := chart.Chart{Width: 340, Height: 300, X: percentAxis("OOD accepted (%)"), Y: percentAxis("ID accepted (%)")}
	pr := chart.Chart{Width: 340, Height: 300, X: percentAxis("recall: OOD rejected (%)"),
		Y: percentAxis("precision: OOD among rejected (%)")}
	roc.Rule("", chart.Point{X: 0, Y: 0}, chart.Point{X: 100, Y: 100})
	roc.Rule("level", chart.Point{X: 0, Y: 95}, chart.Point{X: 100, Y: 95})
	out := setCharts{Set: name}
	var words []string
	for _, i := range c.order() {
		s, m := c.scores[i], c.method[i]
		points, err := metrics.ROC(s.ID, s.OOD[set].Scores)
		if err != nil {
			return out, fmt.Errorf("report: curves of %q on %q: %w", s.Method, s.OOD[set].Name, err)
		}
		if len(words) == 0 {
			base := 100 * float64(len(s.OOD[set].Scores)) / float64(len(s.ID)+len(s.OOD[set].Scores))
			pr.Rule("", chart.Point{X: 0, Y: base}, chart.Point{X: 100, Y: base})
		}
		rates := c.result.Methods[m].OOD[set].Metrics
		values := fmt.Sprintf("AUROC %.2f, AUPR-out %.2f", 100*rates.AUROC, 100*rates.AUPROut)
		roc.Curve(c.series(m, ": "+values), rocPoints(points))
		pr.Curve(c.series(m, ": "+values), prPoints(precisionRecall(points, len(s.ID), len(s.OOD[set].Scores))))
		out.Legend = append(out.Legend, legendEntry{m, printable(s.Method), c.class(m), values})
		words = append(words, fmt.Sprintf("%s %.2f", printable(s.Method), 100*rates.AUROC))
	}
	slices.Reverse(out.Legend) // the most important first
	slices.Reverse(words)
	roc.Alt = fmt.Sprintf("ROC curves on %s, %s. AUROC in percent: %s.", name, net, strings.Join(words, ", "))
	pr.Alt = fmt.Sprintf("Precision-recall curves on %s, %s.", name, net)
	out.ROC, out.PR = template.HTML(roc.SVG()), template.HTML(pr.SVG())
	return out, nil
}

func rocPoints(points []metrics.Point) []chart.Point {
	out := make([]chart.Point, len(points))
	for i, p := range points {
		out[i] = chart.Point{X: 100 * p.FPR, Y: 100 * p.TPR}
	}
	return out
}

// prPoints returns the curve as steps, whose area is AUPR as it is computed.
func prPoints(points []prPoint) []chart.Point {
	var out []chart.Point
	before := 0.0
	for _, p := range points {
		out = append(out, chart.Point{X: 100 * before, Y: 100 * p.precision}, chart.Point{X: 100 * p.recall,
			Y: 100 * p.precision})
		before = p.recall
	}
	return out
}
