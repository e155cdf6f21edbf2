package interactions

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/mathx"
)

// Exact enumerates all 2^n coalitions of a game of at most [attribution.MaxEnumerated] players.
type Exact struct {
	// Index is the interaction index to compute.
	Index Index
}

// Name returns "exact-" and the index.
func (e Exact) Name() string { return "exact-" + e.Index.String() }

// Estimate implements [Estimator]. Of the options it uses the budget, the number of workers and Progress.
func (e Exact) Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (Estimate, error) {
	start := time.Now()
	if err := check(e.Index, g, opt); err != nil {
		return Estimate{}, err
	}
	n := g.Players()
	if n > attribution.MaxEnumerated {
		return Estimate{}, fmt.Errorf("attribution: exact interactions: expected at most %d players, got %d",
			attribution.MaxEnumerated, n)
	}
	total := 1 << n
	cost := attribution.ForwardsPerValue(g) * float64(total)
	if opt.Budget > 0 && cost > opt.Budget*(1+1e-12) {
		return Estimate{}, fmt.Errorf("%w: %s needs %.6g forward-equivalents, the budget is %.6g",
			attribution.ErrBudget, e.Name(), cost, opt.Budget)
	}
	v := make([]float64, total)
	if err := enumerate(ctx, g, opt, v); err != nil {
		out := Estimate{Method: e.Name(), Index: e.Index, Stopped: attribution.StopInterrupted}
		if sampling.Interrupted(ctx, err) {
			return out, fmt.Errorf("attribution: %s stopped: %w", e.Name(), err)
		}
		return Estimate{}, err
	}
	out := Estimate{Method: e.Name(), Index: e.Index, Players: everyone(n), Names: attribution.PlayerNames(g),
		Singles: make([]float64, n), SinglesStdErr: make([]float64, n),
		Pairs: make([]float64, pairs(n)), PairsStdErr: make([]float64, pairs(n)), Samples: total,
		Evaluations: int64(total), Empty: v[0], Full: v[total-1],
		Stopped: attribution.StopExact}
	for i := range n {
		out.Singles[i] = e.Index.single(v, n, i)
		for j := i + 1; j < n; j++ {
			out.Pairs[pairAt(n, i, j)] = e.Index.pair(v, n, i, j)
		}
	}
	if e.Index == KSII {
		halve(n, out.Singles, out.Pairs)
	}
	out.settle(n)
	out.Cost = attribution.Cost{Forwards: cost, Equivalents: cost, Seconds: time.Since(start).Seconds()}
	return out, nil
}

// enumerate writes the values of all coalitions to v, that of S to v[Σ_{i∈S} 2^i].
func enumerate(ctx context.Context, g attribution.Game, opt attribution.Options, v []float64) error {
	n, rows := g.Players(), min(len(v), 512)
	workers := opt.WithDefaults().Workers
	batches := make([]attribution.Coalitions, workers)
	compute := func(worker, chunk, _ int) error {
		if batches[worker].Len() == 0 {
			batches[worker] = attribution.NewCoalitions(n, rows)
		}
		for r := range rows {
			batches[worker].Row(r)[0] = uint64(chunk*rows + r)
		}
		part := v[chunk*rows : (chunk+1)*rows]
		if err := g.Values(ctx, batches[worker], part); err != nil {
			return sampling.FromGame(err)
		}
		if i := mathx.FirstNotFinite(part); i >= 0 {
			return fmt.Errorf("%w: coalition %b has %v", attribution.ErrNotFinite, chunk*rows+i, part[i])
		}
		return nil
	}
	merge := func(chunk, _ int) error {
		if opt.Progress != nil {
			opt.Progress((chunk+1)*rows, len(v))
		}
		return nil
	}
	_, err := sampling.InWaves(ctx, workers, 0, len(v)/rows, compute, merge)
	return err
}

// weights returns the weight of a difference at a coalition of each size s = 0..others, where others is the number of
// players that the difference does not add.
func (x Index) weights(others int) []float64 {
	w := make([]float64, others+1)
	binomial := 1.0
	for s := range w {
		w[s] = 1 / (float64(others+1) * binomial)
		if x == Banzhaf {
			w[s] = 1 / float64(int(1)<<others)
		}
		binomial *= float64(others-s) / float64(s+1)
	}
	return w
}

// single is the weighted mean of player i's marginal contribution over all coalitions; v holds the values of all
// coalitions.
func (x Index) single(v []float64, n, i int) float64 {
	w, bit, total := x.weights(n-1), 1<<i, 0.0
	for s := range v {
		if s&bit == 0 {
			total += w[bits.OnesCount(uint(s))] * (v[s|bit] - v[s])
		}
	}
	return total
}

// pair is the weighted mean of the second difference of players i and j.
func (x Index) pair(v []float64, n, i, j int) float64 {
	w, bi, bj, total := x.weights(n-2), 1<<i, 1<<j, 0.0
	for s := range v {
		if s&(bi|bj) == 0 {
			total += w[bits.OnesCount(uint(s))] * (v[s|bi|bj] - v[s|bi] - v[s|bj] + v[s])
		}
	}
	return total
}

// halve subtracts half of each pair's interaction from both of its players.
func halve(m int, singles, pairs []float64) {
	k := 0
	for a := range m {
		for b := a + 1; b < m; b++ {
			singles[a] -= pairs[k] / 2
			singles[b] -= pairs[k] / 2
			k++
		}
	}
}

// everyone returns the numbers 0..n-1.
func everyone(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
