package estimate

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Exact enumerates all 2^n coalitions of a game of at most [attribution.MaxEnumerated] players and sums Shapley's
// formula
//
//	φ_i = Σ_{S ∌ i} |S|! (n-|S|-1)! / n! (v(S ∪ {i}) - v(S)).
//
// When ctx ends before all coalitions have been evaluated, the estimate's Values are nil.
type Exact struct{}

// Name returns "exact".
func (Exact) Name() string { return "exact" }

// Estimate implements [attribution.Estimator].
func (Exact) Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (attribution.Estimate, error) {
	r, err := newRun("exact", g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.affordableWork(Exact{}); err != nil {
		return attribution.Estimate{}, err
	}
	total := 1 << r.n
	v := make([]float64, total)
	rows := min(total, 512)
	workers := r.opt.Workers
	batches := make([]attribution.Coalitions, workers)
	compute := func(worker, chunk, _ int) error {
		if batches[worker].Len() == 0 {
			batches[worker] = attribution.NewCoalitions(r.n, rows)
		}
		for i := range rows {
			batches[worker].Row(i)[0] = uint64(chunk*rows + i)
		}
		return r.values(ctx, nil, batches[worker], v[chunk*rows:(chunk+1)*rows])
	}
	merge := func(chunk, _ int) error {
		if opt.Progress != nil {
			opt.Progress((chunk+1)*rows, total)
		}
		return nil
	}
	if _, err := sampling.InWaves(ctx, workers, 0, total/rows, compute, merge); err != nil {
		return r.fail(ctx, err)
	}
	r.empty, r.full = v[0], v[total-1]
	return r.finish(attribution.Estimate{Values: shapleyOfTable(v, r.n), StdErr: make([]float64, r.n), Samples: total,
		Stopped: attribution.StopExact}), nil
}

// Work implements [Deterministic].
func (Exact) Work(g attribution.Game, _ attribution.Options) (values, gradients int, err error) {
	n := g.Players()
	if n > attribution.MaxEnumerated {
		return 0, 0, fmt.Errorf("attribution: exact enumeration: expected at most %d players, got %d",
			attribution.MaxEnumerated, n)
	}
	return 1 << n, 0, nil
}

// shapleyOfTable applies Shapley's formula to the values of all coalitions, coalition S at Σ_{i∈S} 2^i.
func shapleyOfTable(v []float64, n int) []float64 {
	// weight[s] = s! (n-s-1)! / n! = 1 / (n C(n-1, s)).
	weight := make([]float64, n)
	binomial := 1.0
	for s := range weight {
		weight[s] = 1 / (float64(n) * binomial)
		binomial *= float64(n-1-s) / float64(s+1)
	}
	phi := make([]float64, n)
	for i := range phi {
		bit, total := 1<<i, 0.0
		for s := range v {
			if s&bit == 0 {
				total += weight[bits.OnesCount(uint(s))] * (v[s|bit] - v[s])
			}
		}
		phi[i] = total
	}
	return phi
}
