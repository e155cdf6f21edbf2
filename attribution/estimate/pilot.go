package estimate

import (
	"context"

	"github.com/line-ood/goline/attribution"
)

// fewestPilot is the number of samples of a pilot where the budget allows few.
const fewestPilot = 2

// within returns the number of samples of a pilot, of so many at most, whose cost is an eighth of the budget or less as
// far as fewestPilot samples allow that, since a sample of a permutation takes two values a player. It takes one sample
// to find out, and returns what that cost too.
func within(ctx context.Context, e attribution.Estimator, g attribution.Game, pilot attribution.Options, budget float64,
	most int) (int, attribution.Cost) {
	pilot.Samples = 1
	one, err := e.Estimate(ctx, g, pilot)
	if err != nil || !(one.Equivalents > 0) { // one that needs more samples takes few values for each
		return most, attribution.Cost{}
	}
	return min(most, max(fewestPilot, int(budget/one.Equivalents/8))), one.Cost
}

// piloted is an estimator whose samples cost more or less by how many they are, and whose own work is a part that is
// the same for any number of them and one in proportion to them.
type piloted interface {
	// forPilots returns the estimator whose samples cost what those of the run do, however few they are, and the
	// smallest number of samples that has the parts of the run.
	forPilots(r *run) (attribution.Estimator, int)
}
