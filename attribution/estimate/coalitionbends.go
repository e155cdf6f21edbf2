package estimate

import (
	"context"

	"gonum.org/v1/gonum/floats"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// evenShare is the part of the probability of toggling a player that is the same for all players. It bounds the
// importance weight of players with small gradients.
const evenShare = 0.1

// draw chooses the player to toggle. w.chance holds the squares of the sample's gradients; draw turns them into
// probabilities, mixed with those from typical, the squares summed over the chunk, and with an even share. u, from
// [0, 1), selects the player.
func (w *gradientWorker) draw(typical []float64, u float64) int {
	n := len(typical)
	own, all := floats.Sum(w.chance), floats.Sum(typical)
	sum, player := 0.0, -1
	for i, t := range typical {
		c := 1 / float64(n)
		if own > 0 {
			c = evenShare/float64(n) + (1-evenShare)/2*(w.chance[i]/own+t/all)
		}
		w.chance[i] = c
		if sum += c; player < 0 && (u < sum || i == n-1) {
			player = i
		}
	}
	return player
}

// endShare is the probability with which a sample whose first coalition holds one player, or all but one, toggles in ∅
// and N instead.
//
// In the Shapley value all numbers 0..n-1 of other players have the same weight. None, or all, come from a coalition of
// one player only when this very player is drawn, about once in n² samples, which then would have to count that much.
func endShare(players int) float64 {
	if players < 4 {
		return 0
	}
	return 0.5
}

// othersWeight is 1/n over the probability that the number of other players is this one, times the probability of
// drawing the player.
func othersWeight(players, others int) float64 {
	n, e := float64(players), endShare(players)
	switch {
	case others == 0 || others == players-1: // in ∅ and N, or the drawn player is the one that the coalition is about
		return (n - 1) / (n*e + 1 - e)
	case others == 1 || others == players-2: // from coalitions of two, or of one that do not toggle in ∅ and N
		return (n - 1) / (2 + (1-e)*(n-1))
	}
	return (n - 1) / (n + 1) // from two sizes, with the player and without
}

// toggle is what is known where a sample's player is to be toggled, in a coalition and in its complement.
type toggle struct {
	sample       *gradientSample
	present      [2]bool // the player
	value, slope [2]float64
}

// bends draws one player for each sample that toggles. It toggles the player and measures the error of the trapezoid
// rule between the player's absence and presence.
func (w *gradientWorker) bends(ctx context.Context, which []int, samples []gradientSample) error {
	r, n := w.s.run, w.s.run.n
	typical := make([]float64, n)
	for p := range 4 * len(which) {
		for i, g := range w.grads[p*n:][:n] {
			typical[i] += g * g
		}
	}
	var toggles []toggle
	var points []float64
	for at, k := range which {
		if !w.s.toggles(k) {
			continue
		}
		s := &samples[k]
		clear(w.chance)
		for p := range 4 {
			for i, g := range w.grads[(4*at+p)*n:][:n] {
				w.chance[i] += g * g
			}
		}
		s.at, s.player = s.pairs[0].coalition, w.draw(typical, sampling.Unit(&w.rng[at]))
		values, grads := w.values[4*at:][:2], w.grads[4*at*n:][:2*n]
		if size := s.pairs[0].size; (size == 1 || size == n-1) && sampling.Unit(&w.rng[at]) < endShare(n) {
			s.at, values, grads = attribution.NewCoalition(n), []float64{r.empty, r.full}, w.s.end
		}
		others := s.at.Size()
		if s.at.Has(s.player) {
			others--
		}
		s.scale = othersWeight(n, others) / w.chance[s.player]
		t := toggle{sample: s}
		// the coalition and its complement; their mean drops terms that are even under complementation
		for side := range 2 {
			t.present[side] = s.at.Has(s.player) == (side == 0)
			t.value[side], t.slope[side] = values[side], grads[side*n+s.player]
			for i := range n {
				there := s.at.Has(i) == (side == 0)
				if i == s.player {
					there = !there
				}
				points = append(points, presence(there))
			}
		}
		toggles = append(toggles, t)
	}
	if len(toggles) == 0 {
		return nil
	}
	values, after := make([]float64, 2*len(toggles)), make([]float64, len(points))
	if err := r.gradients(ctx, w.s.game, points, values, after); err != nil {
		return err
	}
	for j, t := range toggles {
		t.sample.bend = 0
		for side := range 2 {
			to := 2*j + side
			moved := values[to] - t.value[side]
			if t.present[side] {
				moved = -moved
			}
			t.sample.bend += moved/2 - (t.slope[side]+after[to*n+t.sample.player])/4
		}
	}
	return nil
}

// presence is 1 for a player that is present, otherwise 0.
func presence(there bool) float64 {
	if there {
		return 1
	}
	return 0
}
