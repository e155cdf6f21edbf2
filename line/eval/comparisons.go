package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

// pairs returns the methods to compare, by their indices in names. A name that no method has is an error.
func (o RunOptions) pairs(names []string) (pairs [][2]int, err error) {
	reference := o.Compare
	switch {
	case reference == CompareAll:
		for a := range names {
			for b := a + 1; b < len(names); b++ {
				pairs = append(pairs, [2]int{a, b})
			}
		}
		return pairs, nil
	case reference == CompareNone:
		return nil, nil
	case reference == "" && !slices.Contains(names, "line"):
		return nil, nil
	case reference == "":
		reference = "line"
	}
	a := slices.Index(names, reference)
	if a < 0 {
		return nil, fmt.Errorf("eval: comparison: expected one of the methods %s, got %q", strings.Join(names, ", "),
			reference)
	}
	for b := range names {
		if b != a {
			pairs = append(pairs, [2]int{a, b})
		}
	}
	return pairs, nil
}

// compareMethods tests pairs of methods; scores has shape [checkpoint][method].
func compareMethods(ctx context.Context, names []string, scores [][]report.Scores, pairs [][2]int,
	o RunOptions) ([]report.Comparison, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	methods := make([][]metrics.ScoreSets, len(names))
	for m := range methods {
		for _, checkpoint := range scores {
			sets := metrics.ScoreSets{ID: checkpoint[m].ID}
			for _, set := range checkpoint[m].OOD {
				sets.OOD = append(sets.OOD, set.Scores)
			}
			methods[m] = append(methods[m], sets)
		}
	}
	var found []metrics.Difference
	var err error
	if o.Resamples > 0 {
		found, err = metrics.BootstrapPaired(ctx, methods, pairs, o.Resamples, o.Level, o.Seed)
	} else {
		found, err = metrics.DeLong(methods, pairs, o.Level)
	}
	if err != nil {
		return nil, err
	}
	p := make([]float64, len(found))
	for i, d := range found {
		p[i] = d.P
	}
	adjusted, err := metrics.Holm(p)
	if err != nil {
		return nil, err
	}
	var out []report.Comparison
	for i, d := range found {
		out = append(out, report.Comparison{
			A: names[pairs[i][0]], B: names[pairs[i][1]], Difference: d.Mean, CI: d.CI, P: d.P, Adjusted: adjusted[i],
		})
	}
	return out, nil
}
