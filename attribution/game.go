package attribution

import (
	"context"
	"errors"
	"fmt"
)

// Game is a cooperative game: a value for every coalition of its players.
// A game is a pure function of the coalition and safe for use by several goroutines at once.
type Game interface {
	// Players is the number of players, at least 1 and always the same.
	Players() int
	// Values writes v(S) for every coalition of the batch. A batch may have any number of rows: the game cuts it
	// into the batches that suit it, and looks at ctx between them. The value of a row must not depend on the other
	// rows. Values does not keep s or dst.
	//
	// Shapes: s [coalitions, players], dst [coalitions].
	Values(ctx context.Context, s Coalitions, dst []float64) error
}

// Incremental is a game whose value can be updated cheaply as players join one after another.
type Incremental interface {
	Game
	// NewWalker returns a walker for one goroutine, or nil when this instance has no incremental form.
	NewWalker() Walker
}

// Walker evaluates an incremental game along orders of its players, without allocating memory. A walker is for one
// goroutine at a time.
type Walker interface {
	// Marginals lets all players join in the given order and writes to dst[p] what player p changed when it joined.
	//
	// Shapes: order [players], a permutation; dst [players].
	Marginals(order []int, dst []float64)
	// Toggles writes dst[j] = v(S ∪ {p}) - v(S \ {p}) for p = players[j], whether or not S holds p.
	//
	// Shapes: players [m], each in range; dst [m].
	Toggles(s Coalition, players []int, dst []float64)
}

// Differentiable is a game that is also defined for partly present players. At a point α in [0,1]^n player i has the
// activation removed + α_i (present - removed), so that α = 0 is the empty and α = 1 the grand coalition.
type Differentiable interface {
	Game
	// Gradients writes the value at every point and its gradient with respect to α.
	//
	// Shapes: alpha [points, players], values [points], grads [points, players], all row-major.
	Gradients(ctx context.Context, alpha, values, grads []float64) error
}

// Linear is a game that may have the form v(S) = v(∅) + Σ_{i∈S} a_i, whose Shapley values are the a_i.
type Linear interface {
	Game
	// Shapley writes the players' values and reports whether the game is linear. Where it is not, dst is untouched.
	//
	// Shapes: dst [players].
	Shapley(dst []float64) bool
}

// Reducible is a game that may have a simpler form, as where players turn out to add to the logits without interacting.
type Reducible interface {
	Game
	// Reduced returns a game of the same players with the same values, to the rounding of float32, at the same stated
	// costs, or nil where there is none. What a partly present player adds may differ, so that gradients may: those of
	// the reduced game are to serve estimates of Shapley values, not rules that are defined by a path.
	Reduced() Game
}

// Sampled is a game whose value is the mean of the values of its members: the samples of a class, or the rows that
// replace removed neurons. Estimators whose estimate is linear in the game draw a member for each unit of their work
// instead of evaluating all members, which leaves the estimate unbiased and the standard error honest. The members of a
// sampled game that is [Incremental] or [Differentiable] are so too.
type Sampled interface {
	Game
	// Members is the number of members, at least 1. With one member there is nothing to draw.
	Members() int
	// Member returns member m, a game over the same players.
	Member(m int) Game
	// MemberValues writes the value of row r in the game of member members[r].
	//
	// Shapes: members [coalitions], s [coalitions, players], dst [coalitions].
	MemberValues(ctx context.Context, members []int, s Coalitions, dst []float64) error
}

// SampledGradients is a [Sampled] game that computes gradients of several members in one batch.
type SampledGradients interface {
	Sampled
	// MemberGradients is Gradients with point r in the game of member members[r].
	MemberGradients(ctx context.Context, members []int, alpha, values, grads []float64) error
}

// Costed is a game whose value does not cost one forward pass: a fraction where only the layers behind the players
// are run, several where a value is a mean over samples.
type Costed interface {
	Game
	// ForwardsPerValue is the cost of one coalition value in forward passes, positive.
	ForwardsPerValue() float64
}

// CostedGradients is a game whose gradients need another number of forward passes than one value does, besides the
// backward pass.
type CostedGradients interface {
	Differentiable
	// ForwardsPerGradient is the number of forward passes that a gradient takes besides its backward pass, positive.
	ForwardsPerGradient() float64
}

// Kinked is a game whose value may bend sharply between coalitions, as behind layers of rectifiers. Gradients at
// coalitions then say little about what happens between them. A differentiable game that is not Kinked is taken to be
// smooth.
type Kinked interface {
	Differentiable
	// Kinked reports whether the value may have kinks.
	Kinked() bool
}

// IsKinked reports whether the game says that its value may have kinks.
func IsKinked(g Game) bool {
	k, ok := g.(Kinked)
	return ok && k.Kinked()
}

// Named is a game whose players have names.
type Named interface {
	Game
	// PlayerNames returns one name for each player, or nil.
	PlayerNames() []string
}

// MaxEnumerated is the most players that exact enumeration and tables take: 2^20 coalitions.
const MaxEnumerated = 20

var (
	// ErrNoPlayers is returned for a game without players.
	ErrNoPlayers = errors.New("attribution: the game has no players")
	// ErrNotDifferentiable is returned by gradient estimators for a game without gradients.
	ErrNotDifferentiable = errors.New("attribution: the game has no gradients")
	// ErrNotLinear is returned by [estimate.ClosedForm] for a game that is not linear.
	ErrNotLinear = errors.New("attribution: the game is not linear, or not known to be")
	// ErrBudget is returned when the budget is too small for the estimator to say anything.
	ErrBudget = errors.New("attribution: budget too small")
	// ErrNotFinite is returned when a game gives a coalition the value NaN or ±Inf.
	ErrNotFinite = errors.New("attribution: the game's value is not finite")
)

// ForwardsPerValue is the cost of one value of the game in forward passes: 1 unless the game is [Costed].
func ForwardsPerValue(g Game) float64 {
	if c, ok := g.(Costed); ok {
		return c.ForwardsPerValue()
	}
	return 1
}

// ForwardsPerGradient is the number of forward passes that one gradient of the game takes besides its backward pass:
// the number for a value, unless the game is a [CostedGradients].
func ForwardsPerGradient(g Game) float64 {
	if c, ok := g.(CostedGradients); ok {
		return c.ForwardsPerGradient()
	}
	return ForwardsPerValue(g)
}

// NewWalker returns a walker of the game, or nil when the game has no incremental form.
func NewWalker(g Game) Walker {
	if inc, ok := g.(Incremental); ok {
		return inc.NewWalker()
	}
	return nil
}

// Reduced is the game's simpler form where the game is [Reducible] and has one, otherwise the game itself.
func Reduced(g Game) Game {
	if r, ok := g.(Reducible); ok {
		if simpler := r.Reduced(); simpler != nil {
			return simpler
		}
	}
	return g
}

// CheckGame returns an error for a game that no estimator can work on.
func CheckGame(g Game) error {
	if g == nil {
		return fmt.Errorf("%w: expected a game, got nil", ErrNoPlayers)
	}
	if n := g.Players(); n < 1 {
		return fmt.Errorf("%w: expected at least 1, got %d", ErrNoPlayers, n)
	}
	return nil
}

// PlayerNames returns the game's names, or nil.
func PlayerNames(g Game) []string {
	if n, ok := g.(Named); ok {
		return n.PlayerNames()
	}
	return nil
}

// ByMember calls f once for each member, with the indices of the rows that belong to it, in the order in which
// members first appear. A [Sampled] game can thus evaluate all rows of one member together.
func ByMember(members []int, f func(member int, rows []int) error) error {
	group := map[int]int{} // of a member
	var order, ends []int  // the member of each group; the number of its rows, then where they end
	of, rows := make([]int, len(members)), make([]int, len(members))
	for r, m := range members {
		if r > 0 && m == members[r-1] {
			of[r] = of[r-1]
		} else {
			g, known := group[m]
			if !known {
				g = len(order)
				group[m], order, ends = g, append(order, m), append(ends, 0)
			}
			of[r] = g
		}
		ends[of[r]]++
	}
	for g := 1; g < len(ends); g++ {
		ends[g] += ends[g-1]
	}
	for r := len(members) - 1; r >= 0; r-- { // leaves in ends where each group starts
		ends[of[r]]--
		rows[ends[of[r]]] = r
	}
	for g, m := range order {
		end := len(rows)
		if g+1 < len(order) {
			end = ends[g+1]
		}
		if err := f(m, rows[ends[g]:end:end]); err != nil {
			return err
		}
	}
	return nil
}
