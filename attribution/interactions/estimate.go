package interactions

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Estimator estimates interactions of a game.
type Estimator interface {
	// Name is short and distinguishes the estimator and its index.
	Name() string
	// Estimate runs until the options' stopping rule is met, as [attribution.Estimator] does. When ctx ends first, it
	// returns the estimate so far and an error that wraps that of ctx; Pairs is nil where there is no estimate yet.
	Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (Estimate, error)
}

// Estimate holds the interactions found and what was spent. m players have m(m-1)/2 pairs, in the order (0, 1), (0,
// 2), ..., (1, 2), ... of indices into Players.
type Estimate struct {
	// Method is the estimator's name.
	Method string
	// Index is the interaction index that was estimated.
	Index Index
	// Players are the game's numbers of the players whose pairs were estimated, ascending.
	Players []int
	// Names are the names of all players of the game, or nil.
	Names []string
	// Pairs are the interactions [m(m-1)/2], Singles the index's values of single players [m].
	Pairs, Singles []float64
	// PairsStdErr and SinglesStdErr are standard errors: 0 for exact results, NaN where there are too few samples to
	// tell.
	PairsStdErr, SinglesStdErr []float64
	// DF are the degrees of freedom of all standard errors, 0 for exact results.
	DF float64
	// Samples is the number of samples, and LeastSamples the number below which there are no intervals.
	Samples, LeastSamples int
	// Evaluations is the number of coalition values that were computed.
	Evaluations int64
	// Cost is what was spent.
	attribution.Cost
	// Empty and Full are v(∅) and v(N).
	Empty, Full float64
	// Residual is v(N) - v(∅) - Σ Singles - Σ Pairs for [KSII] among all players; with sampling its expectation is
	// zero, but single estimates differ. It is NaN for indices that need not sum to v(N) - v(∅).
	Residual float64
	// Stopped says why the estimator stopped.
	Stopped attribution.Stop
}

// Pair is one pair of players and their interaction.
type Pair struct {
	// I and J are the players' numbers in the game, I < J.
	I, J int
	// Value is the interaction and StdErr its standard error.
	Value, StdErr float64
}

// pairs is the number of pairs of m players. pairAt is the index of the pair of a and b, a < b, among them.
func pairs(m int) int        { return m * (m - 1) / 2 }
func pairAt(m, a, b int) int { return a*(2*m-a-1)/2 + b - a - 1 }

// Of returns the pair of two players by their numbers, in either order; ok is false where the pair was not estimated.
func (e *Estimate) Of(i, j int) (p Pair, ok bool) {
	if i > j {
		i, j = j, i
	}
	a, okA := slices.BinarySearch(e.Players, i)
	b, okB := slices.BinarySearch(e.Players, j)
	if !okA || !okB || a == b || e.Pairs == nil {
		return Pair{}, false
	}
	at := pairAt(len(e.Players), a, b)
	return Pair{i, j, e.Pairs[at], e.PairsStdErr[at]}, true
}

// All returns all pairs in their order.
func (e *Estimate) All() []Pair {
	out := make([]Pair, 0, len(e.Pairs))
	for a, i := range e.Players {
		for _, j := range e.Players[a+1:] {
			if k := len(out); k < len(e.Pairs) {
				out = append(out, Pair{i, j, e.Pairs[k], e.PairsStdErr[k]})
			}
		}
	}
	return out
}

// Largest returns the n pairs with the largest absolute interactions, or all pairs where there are fewer. Ties keep
// the order of Pairs.
func (e *Estimate) Largest(n int) []Pair {
	all := e.All()
	slices.SortStableFunc(all, func(a, b Pair) int { return cmp.Compare(math.Abs(b.Value), math.Abs(a.Value)) })
	return all[:min(n, len(all))]
}

// TooFew reports whether the estimate has too few samples for intervals.
func (e *Estimate) TooFew() bool { return e.DF > 0 && e.Samples < e.LeastSamples }

// Interval is the confidence interval of a pair at a level such as 0.95, by Student's t; the ends are NaN with too few
// samples.
func (e *Estimate) Interval(p Pair, level float64) (lo, hi float64) {
	if e.TooFew() {
		return math.NaN(), math.NaN()
	}
	half := p.StdErr
	if e.DF > 0 {
		half *= mathx.QuantileT((1+level)/2, e.DF)
	}
	return p.Value - half, p.Value + half
}
