package compare

import (
	"context"
	"errors"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

// Truth holds the Shapley values with which estimates are compared.
type Truth struct {
	// Values are the true Shapley values [players].
	Values []float64
	// StdErr are their standard errors where the truth is itself an estimate; nil for an exact truth.
	StdErr []float64
	// Method says where the truth comes from.
	Method string
}

// FindTruth returns the Shapley values of a game: by the closed form where the game is linear, by enumeration with up
// to 20 players, and otherwise, with their standard errors, by antithetic permutation sampling under the options.
func FindTruth(ctx context.Context, g attribution.Game, opt attribution.Options) (Truth, error) {
	if err := attribution.CheckGame(g); err != nil {
		return Truth{}, err
	}
	exact := opt
	exact.Budget = 0
	e, err := estimate.ClosedForm{}.Estimate(ctx, g, exact)
	if errors.Is(err, attribution.ErrNotLinear) && g.Players() <= attribution.MaxEnumerated {
		e, err = estimate.Exact{}.Estimate(ctx, g, exact)
	} else if errors.Is(err, attribution.ErrNotLinear) {
		e, err = estimate.Permutation{Antithetic: true}.Estimate(ctx, g, opt)
	}
	if err != nil {
		return Truth{}, err
	}
	t := Truth{Values: e.Values, Method: e.Method}
	if e.DF != nil {
		t.StdErr = e.StdErr
	}
	return t, nil
}
