package estimate

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Permutation estimates Shapley values by the mean marginal contribution over random orders of the players (Castro,
// Gómez and Tejada 2009, algorithm ApproShapley). It is unbiased, and every estimate is efficient: the residual is
// rounding. A permutation costs n-1 values, since v(∅) and v(N) are evaluated once for all.
//
// The standard error is that of the mean over independent units: a permutation, an antithetic pair, or a set of
// rotations.
type Permutation struct {
	// Antithetic follows every permutation by its reverse and counts the pair as one sample (Lomeli, Rowland, Gretton
	// and Ghahramani 2019; Mitchell, Cooper, Frank and Holmes 2022).
	Antithetic bool
	// Rotations is the number of rotations of a permutation that make up one sample, spread evenly, so that a
	// player's positions are a systematic sample of all positions: stratification by position with one draw a
	// stratum. 0 and 1 are plain permutations.
	Rotations int
}

// Name returns "permutation", "antithetic", or "permutation-rotated-R".
func (p Permutation) Name() string {
	name := "permutation"
	if p.Antithetic {
		name = "antithetic"
	}
	if p.Rotations > 1 {
		name += fmt.Sprintf("-rotated-%d", p.Rotations)
	}
	return name
}

// Estimate implements [attribution.Estimator]. A sample is a permutation, with Antithetic a pair of them, and with
// Rotations that many permutations or pairs.
func (p Permutation) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	if p.Rotations < 0 {
		return attribution.Estimate{}, fmt.Errorf("attribution: expected at least 0 rotations, got %d", p.Rotations)
	}
	return sample(ctx, p.Name(), g, opt, func(r *run) (attribution.Estimate, error) {
		rotations := min(max(p.Rotations, 1), r.n)
		orders := rotations
		if p.Antithetic {
			orders *= 2
		}
		values := orders * (r.n - 1)
		incremental := isIncremental(g)
		a := averaging{perUnit: float64(values) * r.valueCost(), chunk: chunkUnits(values, incremental)}
		a.newWorker = func() unitWorker {
			return &permutationWorker{run: r, antithetic: p.Antithetic, rotations: rotations, walkers: r.newWalkers(),
				base: make([]int, r.n), order: make([]int, r.n), one: make([]float64, r.n)}
		}
		return r.average(ctx, a, r.fixedCost())
	})
}

// permutationWorker computes units of permutation sampling.
type permutationWorker struct {
	run         *run
	antithetic  bool
	rotations   int
	walkers     *walkers // nil for games without an incremental form
	rng         rand.PCG
	base, order []int
	one         []float64

	batch   attribution.Coalitions
	values  []float64
	members []int
}

// begin starts a unit: it draws the unit's member and its base permutation.
func (w *permutationWorker) begin(unit int) (member int) {
	sampling.SeedStream(&w.rng, w.run.opt.Seed, sampling.DomainUnit, uint64(unit))
	if w.run.sampled != nil {
		member = sampling.Below(&w.rng, w.run.sampled.Members())
	}
	sampling.Permute(&w.rng, w.base)
	return member
}

// orders is the number of permutations of a unit.
func (w *permutationWorker) orders() int {
	if w.antithetic {
		return 2 * w.rotations
	}
	return w.rotations
}

// nth returns permutation j of the unit. The slice is valid until the next call.
func (w *permutationWorker) nth(j int) []int {
	reverse := false
	if w.antithetic {
		reverse, j = j%2 == 1, j/2
	}
	if j == 0 && !reverse {
		return w.base
	}
	n := len(w.base)
	shift := j * n / w.rotations
	for i := range w.order {
		at := i
		if reverse {
			at = n - 1 - i
		}
		w.order[i] = w.base[(at+shift)%n]
	}
	return w.order
}

func (w *permutationWorker) units(ctx context.Context, first, count int, dst []float64) error {
	if w.walkers == nil {
		return w.batched(ctx, first, count, dst)
	}
	n, orders := w.run.n, w.orders()
	for u := range count {
		member := w.begin(first + u)
		walker := w.walkers.member(w.run.sampled, member)
		row := dst[u*n : (u+1)*n]
		walker.Marginals(w.nth(0), row)
		if orders == 1 {
			continue
		}
		for j := 1; j < orders; j++ {
			walker.Marginals(w.nth(j), w.one)
			for i, v := range w.one {
				row[i] += v
			}
		}
		for i := range row {
			row[i] /= float64(orders)
		}
	}
	w.run.count(w.run.sampled != nil, count*orders*(n-1))
	return checkMarginals(dst)
}

// batched evaluates all prefixes of all permutations of the units in one batch of coalitions.
func (w *permutationWorker) batched(ctx context.Context, first, count int, dst []float64) error {
	n, orders := w.run.n, w.orders()
	rows := count * orders * (n - 1)
	if w.batch.Len() < rows {
		w.batch = attribution.NewCoalitions(n, rows)
		w.values = make([]float64, rows)
		if w.run.sampled != nil {
			w.members = make([]int, rows)
		}
	}
	batch, members := w.batch.Slice(0, rows), w.members
	batch.Clear()
	at := 0
	for u := range count {
		member := w.begin(first + u)
		for j := range orders {
			order := w.nth(j)
			for i := range n - 1 {
				row := batch.Row(at)
				if i > 0 {
					copy(row, batch.Row(at-1))
				}
				row.Add(order[i])
				if members != nil {
					members[at] = member
				}
				at++
			}
		}
	}
	if members != nil {
		members = members[:rows]
	}
	if err := w.run.values(ctx, members, batch, w.values[:rows]); err != nil {
		return err
	}
	clear(dst)
	at = 0
	for u := range count {
		before0, after0 := w.run.ends(w.begin(first + u))
		row := dst[u*n : (u+1)*n]
		for j := range orders {
			before := before0
			for i, p := range w.nth(j) {
				after := after0
				if i < n-1 {
					after = w.values[at]
					at++
				}
				row[p] += (after - before) / float64(orders)
				before = after
			}
		}
	}
	return nil
}
