package games

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/attribution"
)

// Mean is the game whose value is the mean of the values of member games on the same players. It is
// [attribution.Sampled]; it is [attribution.Incremental], [attribution.Differentiable], [attribution.Linear] and
// [attribution.Reducible] where all its members are.
type Mean struct {
	members     []attribution.Game
	incremental bool
}

// NewMean returns the mean of the games. It returns an error when there are none or their numbers of players differ.
func NewMean(members ...attribution.Game) (*Mean, error) {
	if len(members) == 0 {
		return nil, fmt.Errorf("attribution: mean: expected at least one game, got none")
	}
	m := &Mean{members: members, incremental: true}
	for i, g := range members {
		if err := attribution.CheckGame(g); err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		if g.Players() != members[0].Players() {
			return nil, fmt.Errorf("attribution: member %d: expected %d players as of member 0, got %d", i,
				members[0].Players(), g.Players())
		}
		m.incremental = m.incremental && walks(g)
	}
	return m, nil
}

// newMeanOf is NewMean for games that are known to fit.
func newMeanOf(games []*PenultimateGame) *Mean {
	m := &Mean{members: make([]attribution.Game, len(games)), incremental: true}
	for i, g := range games {
		m.members[i] = g
	}
	return m
}

// Players implements [attribution.Game].
func (m *Mean) Players() int { return m.members[0].Players() }

// PlayerNames returns the names of the first member's players.
func (m *Mean) PlayerNames() []string { return attribution.PlayerNames(m.members[0]) }

// Members is the number of members that estimators may draw from.
func (m *Mean) Members() int { return len(m.members) }

// Member returns member i.
func (m *Mean) Member(i int) attribution.Game { return m.members[i] }

// ForwardsPerValue is the sum of the members' costs.
func (m *Mean) ForwardsPerValue() float64 { return m.sum(attribution.ForwardsPerValue) }

// ForwardsPerGradient is the sum of the members' costs.
func (m *Mean) ForwardsPerGradient() float64 { return m.sum(attribution.ForwardsPerGradient) }

// Reduced implements [attribution.Reducible]: the mean of the members' simpler forms where all have one.
func (m *Mean) Reduced() attribution.Game {
	simpler := &Mean{members: make([]attribution.Game, len(m.members)), incremental: true}
	for i, g := range m.members {
		r, ok := g.(attribution.Reducible)
		if !ok {
			return nil
		}
		one := r.Reduced()
		if one == nil {
			return nil
		}
		simpler.members[i] = one
		simpler.incremental = simpler.incremental && walks(one)
	}
	return simpler
}

func (m *Mean) sum(of func(attribution.Game) float64) (total float64) {
	for _, g := range m.members {
		total += of(g)
	}
	return total
}

// Kinked reports whether any member may have kinks.
func (m *Mean) Kinked() bool { return slices.ContainsFunc(m.members, attribution.IsKinked) }

// Values implements [attribution.Game]: the mean over all members.
func (m *Mean) Values(ctx context.Context, s attribution.Coalitions, dst []float64) error {
	one := make([]float64, s.Len())
	clear(dst[:s.Len()])
	for i, g := range m.members {
		if err := g.Values(ctx, s, one); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
		for r, v := range one {
			dst[r] += v
		}
	}
	for r := range one {
		dst[r] /= float64(len(m.members))
	}
	return nil
}

// MemberValues implements [attribution.Sampled]. Rows of the same member are evaluated together.
func (m *Mean) MemberValues(ctx context.Context, members []int, s attribution.Coalitions, dst []float64) error {
	all := make([]float64, len(members))
	return attribution.ByMember(members, func(member int, rows []int) error {
		part := attribution.NewCoalitions(s.Players(), len(rows))
		for i, r := range rows {
			copy(part.Row(i), s.Row(r))
		}
		values := all[:len(rows)]
		if err := m.members[member].Values(ctx, part, values); err != nil {
			return fmt.Errorf("member %d: %w", member, err)
		}
		for i, r := range rows {
			dst[r] = values[i]
		}
		return nil
	})
}

// Gradients implements [attribution.Differentiable]: the mean over all members, or [attribution.ErrNotDifferentiable].
func (m *Mean) Gradients(ctx context.Context, alpha, values, grads []float64) error {
	clear(values)
	clear(grads)
	v, g := make([]float64, len(values)), make([]float64, len(grads))
	scale := 1 / float64(len(m.members))
	for i, member := range m.members {
		d, ok := member.(attribution.Differentiable)
		if !ok {
			return fmt.Errorf("member %d: %w", i, attribution.ErrNotDifferentiable)
		}
		if err := d.Gradients(ctx, alpha, v, g); err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
		for r := range v {
			values[r] += v[r] * scale
		}
		for r := range g {
			grads[r] += g[r] * scale
		}
	}
	return nil
}

// Shapley implements [attribution.Linear]: the mean of the members' values when all are linear.
func (m *Mean) Shapley(dst []float64) bool {
	total, one := make([]float64, len(dst)), make([]float64, len(dst))
	for _, g := range m.members {
		l, ok := g.(attribution.Linear)
		if !ok || !l.Shapley(one) {
			return false
		}
		for i, v := range one {
			total[i] += v
		}
	}
	for i, v := range total {
		dst[i] = v / float64(len(m.members))
	}
	return true
}

// NewWalker implements [attribution.Incremental]: it returns a walker over all members, or nil when a member has
// none.
func (m *Mean) NewWalker() attribution.Walker {
	if !m.incremental {
		return nil
	}
	return &meanWalker{game: m, walkers: make([]attribution.Walker, len(m.members))}
}

// meanWalker lets the players join all members in the same order.
type meanWalker struct {
	game    *Mean
	walkers []attribution.Walker // made at first use
	one     []float64
}

func (w *meanWalker) each(dst []float64, f func(attribution.Walker, []float64)) {
	if w.one == nil {
		w.one = make([]float64, w.game.Players())
	}
	one := w.one[:len(dst)]
	clear(dst)
	for i, walker := range w.walkers {
		if walker == nil {
			walker = attribution.NewWalker(w.game.members[i])
			w.walkers[i] = walker
		}
		f(walker, one)
		for j, v := range one {
			dst[j] += v
		}
	}
	for j := range dst {
		dst[j] /= float64(len(w.walkers))
	}
}

func (w *meanWalker) Marginals(order []int, dst []float64) {
	w.each(dst, func(m attribution.Walker, one []float64) { m.Marginals(order, one) })
}

func (w *meanWalker) Toggles(s attribution.Coalition, players []int, dst []float64) {
	w.each(dst, func(m attribution.Walker, one []float64) { m.Toggles(s, players, one) })
}

// walks reports whether the game has walkers. For the types of this package it finds out without building their
// tables.
func walks(g attribution.Game) bool {
	switch g := g.(type) {
	case *PenultimateGame:
		return true
	case *Mean:
		return g.incremental
	case attribution.Incremental:
		return g.NewWalker() != nil
	}
	return false
}
