package estimate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/attribution/internal/surrogate"
	"github.com/line-ood/goline/internal/linalg"
	"github.com/line-ood/goline/internal/mathx"
)

// OddRegression estimates Shapley values from values alone, by regression on all sets of an odd number of players at
// once. In the Fourier basis of the hypercube φ_i = Σ 2 c_T/|T| over the sets T of an odd number of players that hold
// i. Only half the difference of the values of a coalition and its complement matters, since the terms of even sets
// cancel in it. [LeverageSHAP] fits c_T for single players. Here all odd T have coefficients, with a prior variance
// Π_{i∈T} θ_i. That is a Gaussian process; its covariance, the odd part of the diffusion kernel, and the Shapley
// values of its posterior mean have closed forms. The θ_i, one for each player, are those under which the values are
// most likely (automatic relevance determination, Rasmussen and Williams 2006, section 5.1). Coefficients of sets of
// important players therefore have the largest prior variance.
//
// Coalitions are drawn as in LeverageSHAP. The process is conditioned on at most 5,120 pairs. With more pairs, its
// errors on the others are regressed as in LeverageSHAP, and the result corrects the values as far as it exceeds its
// own noise. For an [attribution.Sampled] game every value is the mean over all members.
type OddRegression struct{}

// Name returns "odd-regression".
func (OddRegression) Name() string { return "odd-regression" }

const (
	// leastPairs is the smallest number of pairs from which the likelihood can tell the scales of players apart.
	leastPairs = 16
	// mostPairs bounds the pairs that the process is conditioned on, and thereby the size of its covariance matrix.
	mostPairs = 5120
)

// Estimate implements [attribution.Estimator]. A sample is a pair of coalitions; 16 at least. The standard error is the
// posterior's, as large as errors at values that are left out say; there are no intervals below 400 pairs up to 40
// players, ten pairs a player up to 100, 1,000 up to 666, one and a half a player beyond. A run takes time in
// proportion to the cube of the pairs up to 5,120, a few seconds then, beside that of the values. With a target
// standard error the samples come in independent rounds whose estimates are pooled by their numbers of samples.
func (o OddRegression) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	e, _, err := o.timed(ctx, g, opt)
	return e, err
}

// timed implements [ownTimed].
func (o OddRegression) timed(ctx context.Context, g attribution.Game,
	opt attribution.Options) (e attribution.Estimate, own float64, err error) {
	r, err := newRun(o.Name(), g, opt)
	if err != nil {
		return attribution.Estimate{}, 0, err
	}
	e, err = r.leverage(ctx, leastPairs, func(ctx context.Context,
		q *sampling.Regression) (attribution.Estimate, error) {
		start := time.Now()
		defer func() { own += time.Since(start).Seconds() }()
		return r.oddSolution(ctx, q)
	})
	return e, own, err
}

// ownSeconds implements [ownTimed].
func (OddRegression) ownSeconds(ctx context.Context, g attribution.Game, pairs, workers int) (float64, error) {
	within := min(pairs, mostPairs)
	return surrogate.Seconds(ctx, within, pairs-within, g.Players(), workers)
}

// mostSamples is the number of different pairs.
func (OddRegression) mostSamples(g attribution.Game) int { return pairCount(g.Players()) }

// leastOddPairs is the number of pairs from which the likelihood tells the scales well enough for intervals: with fewer
// they follow the values too closely, and errors at rows that are left out are smaller than those of Shapley values.
func leastOddPairs(players int) int { return max(min(max(10*players, 400), 1000), 3*players/2) }

// oddSolution conditions the process on the pairs. On an error the estimate has only the number of samples.
func (r *run) oddSolution(ctx context.Context, q *sampling.Regression) (attribution.Estimate, error) {
	return r.conditioned(ctx, q, mostPairs)
}

// conditioned conditions the process on at most that many pairs, and corrects it by a regression of its errors on the
// other pairs.
func (r *run) conditioned(ctx context.Context, q *sampling.Regression, most int) (attribution.Estimate, error) {
	pairs := q.Rows.Len()
	e := attribution.Estimate{Samples: pairs}
	if pairs == pairCount(r.n) {
		return r.solution(ctx, q)
	}
	if pairs < leastPairs {
		return e, fmt.Errorf("%w: %s needs %d pairs, got %d", attribution.ErrBudget, r.method, leastPairs, pairs)
	}
	// the targets are those of a regression with an even share of v(N) - v(∅) subtracted; add it again
	for k, y := range q.Target {
		q.Target[k] = y + (float64(q.Rows.Row(k).Size())/float64(r.n)-0.5)*(r.full-r.empty)
	}
	within, beyond := splitEvenly(pairs, most)
	var rows []attribution.Coalition
	var y []float64
	for _, k := range within {
		rows, y = append(rows, q.Rows.Row(k)), append(y, q.Target[k])
	}
	p, err := surrogate.NewProcess(ctx, rows, y, r.full-r.empty, r.typical(q), r.opt.Workers)
	if errors.Is(err, linalg.ErrNotPositive) {
		return e, fmt.Errorf("%w: %s: the values of the game vary too much for float64", attribution.ErrNotFinite,
			r.method)
	}
	if err != nil {
		return e, err
	}
	values, variance, err := p.Shapley(ctx, r.opt.Workers)
	if err != nil {
		return e, err
	}
	if i := mathx.FirstNotFinite(values); i >= 0 {
		return e, fmt.Errorf("%w: the regression gives player %d the value %v", attribution.ErrNotFinite, i, values[i])
	}
	if len(beyond) >= leastRows(r.n) {
		if err := r.correct(ctx, p, q, beyond, values, variance); err != nil {
			return e, err
		}
	}
	share := (r.full - r.empty - sumOf(values)) / float64(r.n) // rounding
	e.Values, e.StdErr, e.DF, e.LeastSamples = values, variance, make([]float64, r.n), leastOddPairs(r.n)
	for i, v := range variance {
		values[i] += share
		e.StdErr[i], e.DF[i] = math.Sqrt(v), float64(pairs-1)
	}
	return e, nil
}

// typical is a first guess of the sizes of the players' values: the mean over pairs of the pair's value, with the
// sign of the player's presence. In a game without interactions its expectation is in proportion to the player's
// value.
func (r *run) typical(q *sampling.Regression) []float64 {
	out := make([]float64, r.n)
	members := make([]int, 0, r.n)
	for k, y := range q.Target {
		row := q.Rows.Row(k)
		members = row.AppendMembers(members[:0])
		share := float64(len(members)) / float64(r.n)
		y -= (share - 0.5) * (r.full - r.empty)
		for i := range out {
			out[i] -= share * y
		}
		for _, i := range members {
			out[i] += y
		}
	}
	for i := range out {
		out[i] = math.Abs(out[i])
	}
	return out
}

// correct adds to the values a regression of the process's errors on the pairs beyond those it was conditioned on.
// The regression is shrunk towards zero by how uncertain it is (James and Stein 1961, one factor for all players).
func (r *run) correct(ctx context.Context, p *surrogate.Process, q *sampling.Regression, beyond []int, values,
	variance []float64) error {
	probability := float64(len(beyond)) / float64(q.Rows.Len())
	q.Keep(beyond, probability)
	var rows []attribution.Coalition
	for k := range q.Rows.Len() {
		rows = append(rows, q.Rows.Row(k))
	}
	explained, err := p.At(ctx, rows, r.opt.Workers)
	if err != nil {
		return err
	}
	for k, v := range explained {
		q.Target[k] -= v
	}
	rest, spread, err := q.Solve(ctx, r.opt.Workers)
	if err != nil {
		return err
	}
	squares, noise := 0.0, sumOf(spread)
	for _, v := range rest {
		squares += v * v
	}
	if !(squares > 0) {
		return nil
	}
	shrink := max(0, 1-noise/squares)
	// the variance left: the share of the process's own that was not corrected, plus that of the regression
	for i := range values {
		values[i] += shrink * rest[i]
		variance[i] = (1-shrink)*(1-shrink)*variance[i] + shrink*shrink*spread[i]
	}
	return nil
}

// splitEvenly picks at most most of the numbers below n, evenly spread, and returns them and the others.
func splitEvenly(n, most int) (within, beyond []int) {
	most = min(n, most)
	for k := range n {
		if (k+1)*most/n > k*most/n {
			within = append(within, k)
		} else {
			beyond = append(beyond, k)
		}
	}
	return within, beyond
}

// sumOf returns the sum of the entries.
func sumOf(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}
