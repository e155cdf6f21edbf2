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

// OddRegression estimates Shapley values from values alone by regression on all odd sets of players at once. In the
// Fourier basis of the hypercube φ_i = Σ 2 c_T/|T| over the sets T of an odd number of players that hold i, so that
// half the difference of a coalition and its complement, which has no even part, is all that matters. [LeverageSHAP]
// fits c_T for single players; here all odd T have coefficients, with a prior variance Π_{i∈T} θ_i: a Gaussian process
// whose covariance, the odd part of the diffusion kernel, and the Shapley values of its posterior mean have closed
// forms. The θ_i, one for each player, are those under which the values are most likely (as automatic relevance
// determination, Rasmussen and Williams 2006, section 5.1), so that sets among players that matter get coefficients
// first.
//
// Coalitions are drawn as in LeverageSHAP. Beyond 5,120 pairs the process is conditioned on that many; what it leaves
// of the others is regressed as in LeverageSHAP, and added as far as it stands out from its own error. For a
// [attribution.Sampled] game every value is the mean over all members.
type OddRegression struct{}

// Name is odd-regression.
func (OddRegression) Name() string { return "odd-regression" }

const (
	// leastPairs is the number of pairs that the likelihood needs to say anything.
	leastPairs = 16
	// mostPairs bounds the matrix of the process.
	mostPairs = 5120
)

// Estimate implements [attribution.Estimator]. A sample is a pair of coalitions; 16 at least. The standard error is the
// posterior's, which is honest as far as the game is like what the prior describes; below one and a half times as many
// pairs as players it gives no intervals. A run takes time in proportion to the cube of the pairs up to 5,120, a few
// seconds then, beside that of the values. With a target standard error the samples come in independent rounds whose
// estimates are pooled by their numbers of samples.
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

// mostSamples is the number of pairs that there are to draw.
func (OddRegression) mostSamples(g attribution.Game) int { return pairCount(g.Players()) }

// oddSolution conditions the process on the pairs. On an error the estimate has only the number of samples.
func (r *run) oddSolution(ctx context.Context, q *sampling.Regression) (attribution.Estimate, error) {
	return r.conditioned(ctx, q, mostPairs)
}

// conditioned conditions the process on so many of the pairs at most, and regresses what it leaves of the others.
func (r *run) conditioned(ctx context.Context, q *sampling.Regression, most int) (attribution.Estimate, error) {
	pairs := q.Rows.Len()
	e := attribution.Estimate{Samples: pairs}
	if pairs == pairCount(r.n) {
		return r.solution(ctx, q)
	}
	if pairs < leastPairs {
		return e, fmt.Errorf("%w: %s needs %d pairs, got %d", attribution.ErrBudget, r.method, leastPairs, pairs)
	}
	for k, y := range q.Target { // the regression's targets have the even share of v(N) - v(∅) taken off
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
	e.Values, e.StdErr, e.DF, e.LeastSamples = values, variance, make([]float64, r.n), 3*r.n/2
	for i, v := range variance {
		values[i] += share
		e.StdErr[i], e.DF[i] = math.Sqrt(v), float64(pairs-1)
	}
	return e, nil
}

// typical is a first guess of the players' values: the mean of the pairs' values, signed by the player's presence,
// whose expectation is in proportion to them where players act alone.
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

// correct adds the regression of what the process leaves of other pairs, shrunk by how far it stands out from its error
// (James and Stein 1961, for all players together).
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
	for i := range values { // the rest is the process's own error, taken back by so much, and that of the regression
		values[i] += shrink * rest[i]
		variance[i] = (1-shrink)*(1-shrink)*variance[i] + shrink*shrink*spread[i]
	}
	return nil
}

// splitEvenly picks at most so many of the numbers below n, evenly spread, and returns them and the others.
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

// sumOf adds up.
func sumOf(x []float64) float64 {
	total := 0.0
	for _, v := range x {
		total += v
	}
	return total
}
