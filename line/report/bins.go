package report

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/line-ood/goline/internal/quantile"
	"github.com/line-ood/goline/line/metrics"
)

// Scores holds the scores of one method, higher = more in-distribution.
type Scores struct {
	Method string        // the method's name
	ID     []float64     // of the ID test samples, in their order
	OOD    []NamedScores // in the order of the method's OOD sets
}

// NamedScores holds the scores of one method on one OOD set.
type NamedScores struct {
	Name   string    // the set's name
	Scores []float64 // of its samples, in their order
}

const (
	histogramBins = 50
	// histogramTail is the percentage of each set, at either end, that does not widen the axis, so that an outlier
	// cannot squeeze all other scores into one bin.
	histogramTail = 0.5
)

// binned holds a method's histograms, with bins that all sets share.
type binned struct {
	low, high float64       // ends of the axis
	top       float64       // height of the highest bin, in percent of its set
	threshold float64       // threshold that keeps about 95 % of ID; it may lie outside the axis
	outlines  []plotter.XYs // upper edges of the histograms of ID and each OOD set, in percent of the set
}

// bin makes the histograms of scores.
func bin(s Scores) (*binned, error) {
	fail := func(err error) (*binned, error) {
		return nil, fmt.Errorf("report: histograms of %q: %w", s.Method, err)
	}
	if len(s.OOD) == 0 {
		return fail(fmt.Errorf("no OOD sets"))
	}
	sets, labels := [][]float64{s.ID}, []string{"ID set"}
	for _, o := range s.OOD {
		sets = append(sets, o.Scores)
		labels = append(labels, fmt.Sprintf("OOD set %q", o.Name))
	}
	for i, set := range sets { // each set separately first, for an error that names the set
		if _, err := metrics.BinEdges(1, histogramTail, set); err != nil {
			return fail(fmt.Errorf("%s: %w", labels[i], err))
		}
	}
	edges, err := metrics.BinEdges(histogramBins, histogramTail, sets...)
	if err != nil {
		return fail(err)
	}
	b := &binned{low: edges[0], high: edges[len(edges)-1]}
	if b.threshold, err = metrics.Threshold95(s.ID); err != nil {
		return fail(err)
	}
	for _, set := range sets {
		edge := outline(metrics.BinCounts(set, edges), edges, len(set))
		b.outlines = append(b.outlines, edge)
		for _, p := range edge {
			b.top = max(b.top, p.Y)
		}
	}
	return b, nil
}

// alt describes the histograms in words, for readers who cannot see them.
func (s Scores) alt() string {
	var sets []string
	for _, o := range s.OOD {
		sets = append(sets, fmt.Sprintf("%s median %.3g", printable(o.Name), median(o.Scores)))
	}
	return fmt.Sprintf("Histograms of the %s score, ID median %.3g; %s.", printable(s.Method), median(s.ID),
		strings.Join(sets, ", "))
}

// outline returns the upper edge of a histogram, starting and ending on the axis, in percent of n samples.
func outline(counts []int, edges []float64, n int) plotter.XYs {
	var out plotter.XYs
	height := 0.0
	step := func(x, to float64) {
		out = append(out, plotter.XY{X: x, Y: height}, plotter.XY{X: x, Y: to})
		height = to
	}
	for i, count := range counts {
		if y := 100 * float64(count) / float64(n); y != height {
			step(edges[i], y)
		}
	}
	step(edges[len(counts)], 0)
	return out
}

func median(scores []float64) float64 {
	m, err := quantile.Percentile(scores, 50)
	if err != nil { // cannot fail: binning has checked that the scores are neither empty nor NaN
		return math.NaN()
	}
	return m
}
