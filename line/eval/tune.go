package eval

import (
	"context"
	"fmt"
	"maps"

	"github.com/line-ood/goline/line/posthoc"
)

// Trial is one setting that was tried, with its rates.
type Trial struct {
	// Params holds a value for each parameter of the method, by name.
	Params map[string]float64
	// AUROC and FPR95 are means over the validation sets, fractions.
	AUROC, FPR95 float64
}

// Choice is the outcome of a search.
type Choice struct {
	Method string  // the method's name
	Trial          // the chosen setting
	Trials []Trial // all settings, in the order of the grid
}

// Tune chooses the parameters of a known method (see [posthoc.Kinds]) by the same rule for all methods. It fits every
// combination of the values in the method's grids to d.Fit and scores d.ID and d.OOD. The highest mean AUROC over the
// sets wins; among equal ones the lowest mean FPR95, then the first. A parameter without a grid keeps its value in
// fixed, or its default. d.ID and d.OOD are validation data: they must share no picture with the data that results
// are reported on.
//
// It returns an error for an unknown method, and the errors of [Measure].
func Tune(ctx context.Context, name string, d Data, fixed map[string]float64, workers int) (*Choice, error) {
	params, err := posthoc.Parameters(name)
	if err != nil {
		return nil, err
	}
	c := &Choice{Method: name}
	for setting := range combinations(params, fixed) {
		m, err := posthoc.New(name, posthoc.Options{Params: setting, Workers: workers})
		if err != nil {
			return nil, err
		}
		got, _, err := Measure(ctx, d, m, RunOptions{})
		if err != nil {
			return nil, fmt.Errorf("tune %s at %v: %w", name, m.Params(), err)
		}
		mean := got.Average()
		t := Trial{Params: setting, AUROC: mean.AUROC, FPR95: mean.FPR95}
		if len(c.Trials) == 0 || t.AUROC > c.AUROC || t.AUROC == c.AUROC && t.FPR95 < c.FPR95 {
			c.Trial = t
		}
		c.Trials = append(c.Trials, t)
	}
	return c, nil
}

// Tunable reports whether a known method has a grid to search.
func Tunable(k posthoc.Kind) bool {
	for _, p := range k.Params {
		if len(p.Grid) > 1 {
			return true
		}
	}
	return false
}

// combinations yields every setting of the grids, the last parameter varying fastest.
func combinations(params []posthoc.Parameter, fixed map[string]float64) func(yield func(map[string]float64) bool) {
	return func(yield func(map[string]float64) bool) {
		setting := maps.Clone(fixed)
		if setting == nil {
			setting = map[string]float64{}
		}
		var walk func(k int) bool
		walk = func(k int) bool {
			if k == len(params) {
				return yield(maps.Clone(setting))
			}
			p := params[k]
			if _, ok := fixed[p.Name]; ok || len(p.Grid) == 0 {
				return walk(k + 1)
			}
			for _, v := range p.Grid {
				setting[p.Name] = v
				if !walk(k + 1) {
					return false
				}
			}
			return true
		}
		walk(0)
	}
}
