package estimate

import (
	"context"

	"github.com/line-ood/goline/attribution"
)

// toggler evaluates v(S ∪ {i}) - v(S \ {i}) for the same players i and many coalitions S, by a walker where the game
// has one, otherwise by batches of coalitions.
type toggler struct {
	run     *run
	players []int
	walkers *walkers
	words   int
	bits    []uint64 // the coalitions' words, one coalition after another
	entries []toggleEntry

	one     []float64
	batch   attribution.Coalitions
	values  []float64
	members []int
}

// toggleEntry describes a coalition: its member, and the unit and weight with which its differences count.
type toggleEntry struct {
	member, unit int
	weight       float64
}

// newToggler makes a toggler of the given players, or of all players when players is nil.
func newToggler(r *run, players []int) *toggler {
	if players == nil {
		players = make([]int, r.n)
		for i := range players {
			players[i] = i
		}
	}
	return &toggler{run: r, players: players, walkers: r.newWalkers(), words: len(attribution.NewCoalition(r.n)),
		one: make([]float64, len(players))}
}

func (t *toggler) reset() {
	t.bits, t.entries = t.bits[:0], t.entries[:0]
}

// next returns an empty coalition, which the caller fills in before the next call. Its differences will be added to
// the given unit with the given weight.
func (t *toggler) next(member, unit int, weight float64) attribution.Coalition {
	t.entries = append(t.entries, toggleEntry{member, unit, weight})
	at := len(t.bits)
	for range t.words {
		t.bits = append(t.bits, 0)
	}
	return attribution.Coalition(t.bits[at : at+t.words : at+t.words])
}

func (t *toggler) coalition(i int) attribution.Coalition {
	return attribution.Coalition(t.bits[i*t.words : (i+1)*t.words])
}

// evaluate writes the weighted sums of the differences of each unit.
//
// Shapes: dst [units, players].
func (t *toggler) evaluate(ctx context.Context, dst []float64) error {
	clear(dst)
	if t.walkers == nil {
		return t.batched(ctx, dst)
	}
	m := len(t.players)
	for i, e := range t.entries {
		t.walkers.member(t.run.sampled, e.member).Toggles(t.coalition(i), t.players, t.one)
		row := dst[e.unit*m : (e.unit+1)*m]
		for j, v := range t.one {
			row[j] += e.weight * v
		}
	}
	t.run.count(t.run.sampled != nil, len(t.entries)*(m+1))
	return checkMarginals(dst)
}

func (t *toggler) batched(ctx context.Context, dst []float64) error {
	m := len(t.players)
	rows := len(t.entries) * (m + 1)
	if t.batch.Len() < rows {
		t.batch = attribution.NewCoalitions(t.run.n, rows)
		t.values = make([]float64, rows)
		if t.run.sampled != nil {
			t.members = make([]int, rows)
		}
	}
	batch, members := t.batch.Slice(0, rows), t.members
	if members != nil {
		members = members[:rows]
	}
	for i, e := range t.entries {
		for j := range m + 1 {
			at := i*(m+1) + j
			copy(batch.Row(at), t.coalition(i))
			if j < m {
				batch.Row(at).Toggle(t.players[j])
			}
			if members != nil {
				members[at] = e.member
			}
		}
	}
	if err := t.run.values(ctx, members, batch, t.values[:rows]); err != nil {
		return err
	}
	for i, e := range t.entries {
		v := t.values[i*(m+1) : (i+1)*(m+1)]
		row := dst[e.unit*m : (e.unit+1)*m]
		for j, p := range t.players {
			d := v[j] - v[m]
			if t.coalition(i).Has(p) {
				d = -d
			}
			row[j] += e.weight * d
		}
	}
	return nil
}
