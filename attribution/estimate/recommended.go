package estimate

import (
	"context"
	"errors"

	"github.com/line-ood/goline/attribution"
)

// Recommended estimates with the estimator that [Choose] names for the game and the options. The choice is made
// beforehand, from what the game offers, its players and the budget, never from results.
type Recommended struct{}

// Name returns "recommended". The estimate's Method is that of the estimator chosen.
func (Recommended) Name() string { return "recommended" }

// Estimate implements [attribution.Estimator]; a sample is one of the estimator chosen.
func (Recommended) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	if err := attribution.CheckGame(g); err != nil {
		return attribution.Estimate{}, err
	}
	if err := opt.Check(); err != nil {
		return attribution.Estimate{}, err
	}
	g = attribution.Reduced(g)
	e, err := Choose(g, opt).Estimate(ctx, g, opt)
	// some games find out only when asked, for example because their value function has no gradient
	if errors.Is(err, attribution.ErrNotDifferentiable) {
		return chooseByValues(g, opt).Estimate(ctx, g, opt)
	}
	return e, err
}

const (
	// fewPlayers is the number of players up to which single players are taken to be so large that slopes say little
	// about their contributions, and sets of them so few that values tell them apart.
	fewPlayers = 32
	// leastRuns is the number of samples that the budget must allow for [CoalitionGradients] to be chosen.
	leastRuns = 8
)

// Choose returns the estimator whose expected error is the smallest within the options, on the game as
// [attribution.Reduced] has it, which [Recommended] hands to it:
//
//   - [ClosedForm] for linear games, [Exact] where the budget allows all coalitions;
//   - [CoalitionGradients] for smooth games with gradients and more than 32 players, with Unbiased where there is a
//     target standard error, which a biased estimate cannot promise to keep, for any number of players; where the
//     budget is too small for it, [IntegratedGradients] or [GradientActivation];
//   - otherwise, and for games that are [attribution.Kinked], [OddRegression] with up to 4,096 players;
//   - with more players and without gradients, [LeverageSHAP] where the budget allows more than twice as many pairs as
//     players, and antithetic [Permutation] or the unbiased [KernelSHAP] where it does not.
//
// Antithetic [Permutation] is also the choice for an [attribution.Sampled] game of many members, where the budget does
// not allow gradients at all members.
func Choose(g attribution.Game, opt attribution.Options) attribution.Estimator {
	g = attribution.Reduced(g)
	if l, ok := g.(attribution.Linear); ok && l.Shapley(make([]float64, g.Players())) {
		return ClosedForm{}
	}
	byValues := attribution.IsKinked(g) || g.Players() <= fewPlayers && opt.TargetStdErr == 0
	if _, ok := g.(attribution.Differentiable); !ok || enumerable(g, opt) || byValues && drawn(g) == nil &&
		regresses(g, opt) {
		return chooseByValues(g, opt)
	}
	o := opt.WithDefaults()
	gradient := attribution.ForwardsPerValue(g)*o.BackwardCost + attribution.ForwardsPerGradient(g)
	budget := o.Budget / gradient
	switch {
	case o.Budget == 0 || o.Samples > 0 || budget >= 2+6*leastRuns:
		return CoalitionGradients{Unbiased: o.TargetStdErr > 0}
	case drawn(g) != nil:
		return chooseByValues(g, opt)
	case budget >= 3:
		return IntegratedGradients{Rule: Trapezoid}
	}
	return GradientActivation{}
}

// enumerable reports whether the budget allows the values of all coalitions.
func enumerable(g attribution.Game, opt attribution.Options) bool {
	n := g.Players()
	return n <= attribution.MaxEnumerated && opt.Samples == 0 &&
		opt.Budget >= attribution.ForwardsPerValue(g)*float64(int(1)<<n)
}

// mostOddPlayers bounds the memory of [OddRegression], 8 bytes for each player and pair.
const mostOddPlayers = 4096

// regresses reports whether the options allow [OddRegression].
func regresses(g attribution.Game, opt attribution.Options) bool {
	pairs := min(leastPairs, pairCount(g.Players()))
	fits := opt.Budget == 0 || opt.Budget >= attribution.ForwardsPerValue(g)*float64(2*pairs+2)
	return g.Players() <= mostOddPlayers && fits && (opt.Samples == 0 || opt.Samples >= pairs)
}

// chooseByValues chooses among the estimators that need values alone.
func chooseByValues(g attribution.Game, opt attribution.Options) attribution.Estimator {
	if enumerable(g, opt) {
		return Exact{}
	}
	n := g.Players()
	budget := opt.Budget / attribution.ForwardsPerValue(g)
	if s := drawn(g); s != nil && opt.Budget > 0 {
		budget *= float64(s.Members())
		if budget >= float64(2*n) {
			return Permutation{Antithetic: true}
		}
	} else if regresses(g, opt) {
		return OddRegression{}
	} else if opt.Budget == 0 || budget >= float64(4*n+2) || n <= 4 {
		return LeverageSHAP{}
	}
	if budget >= float64(2*n) {
		return Permutation{Antithetic: true}
	}
	return KernelSHAP{Paired: true, Unbiased: true}
}
