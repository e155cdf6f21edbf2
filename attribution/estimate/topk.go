package estimate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// TopK finds the K players with the largest Shapley values, which is all that a detector with a percentile threshold
// needs. It spends its samples on undecided players: those whose interval still holds the border between the K-th and
// the next value.
//
// A sample is an antithetic pair of coalitions, drawn as [Owen] does, around which the undecided players are toggled.
// Players are thereby compared on the same coalitions, as in the method of common marginal contributions (Kolpaczki,
// Nielen and Hüllermeier 2025). A player is decided when its interval lies on one side of the border; by Bonferroni's
// inequality the level is such that all intervals hold at once with probability Confidence. A player is also decided
// when its standard error is at most Options.TargetStdErr, which is the tolerance for players that tie at the border.
//
// Only the ranking is promised. Sampling stops for a player because of what its estimate says, so that estimates of
// players far from the border rest on few samples and are biased away from the border: there are no intervals.
type TopK struct {
	// K is the number of players kept, from 1 to n. See [KeptByPercentile].
	K int
	// Confidence is the probability with which the K players are the right ones, 0 for 0.95. It is not corrected for
	// looking at the intervals repeatedly.
	Confidence float64
}

// Ranking is what [TopK] found.
type Ranking struct {
	attribution.Estimate
	// Kept are the K players with the largest estimates, largest first; ties go to the lower index.
	Kept []int
	// Undecided are the players, in or out, whose interval holds the border, in ascending order.
	Undecided []int
	// Border is halfway between the estimates of the K-th and the next player, -Inf when all are kept.
	Border float64
	// Draws is the number of samples of each player.
	Draws []int
}

// Name returns "top-K", for example top-35.
func (t TopK) Name() string { return fmt.Sprintf("top-%d", t.K) }

// Estimate implements [attribution.Estimator]: the estimate of [TopK.Rank].
func (t TopK) Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (attribution.Estimate, error) {
	ranking, err := t.Rank(ctx, g, opt)
	return ranking.Estimate, err
}

// pilotPairs is the number of samples of all players before any player can be decided.
const pilotPairs = 16

// Rank samples until all players are decided or the options' limits are reached. When ctx ends first, the ranking is
// that of the samples so far and the error wraps that of ctx.
func (t TopK) Rank(ctx context.Context, g attribution.Game, opt attribution.Options) (Ranking, error) {
	r, err := newRun(t.Name(), g, opt)
	if err != nil {
		return Ranking{}, err
	}
	if t.K < 1 || t.K > r.n {
		return Ranking{}, fmt.Errorf("attribution: top-k: expected k from 1 to %d players, got %d", r.n, t.K)
	}
	if t.Confidence == 0 {
		t.Confidence = 0.95
	}
	if !(t.Confidence > 0 && t.Confidence < 1) {
		return Ranking{}, fmt.Errorf("attribution: expected a confidence in (0, 1), got %v", t.Confidence)
	}
	s := &topKState{TopK: t, run: r, stats: make([]sampling.Scalar, r.n)}
	if err := r.endpoints(ctx); err != nil {
		e, err := r.fail(ctx, err)
		return Ranking{Estimate: e}, err
	}
	pair := 2 * float64(r.n+1) * r.valueCost()
	p, err := r.plan(r.fixedCost(), pair, 2)
	if err != nil {
		return Ranking{}, err
	}
	limit := p.samples
	if opt.Samples == 0 {
		limit = maxSamples // the budget is checked pair by pair, since later samples toggle fewer players and cost less
	}
	spent := r.fixedCost()
	for units, stop := 0, attribution.Stop(""); ; {
		undecided := s.undecided()
		want := max(pilotPairs, units/4)
		want = min(want, limit-units)
		if opt.Budget > 0 {
			each := 2 * float64(len(undecided)+1) * r.valueCost()
			want = int(min(float64(want), math.Floor((opt.Budget-spent)/each*(1+1e-12))))
			spent += float64(want) * each
		}
		switch {
		case len(undecided) == 0:
			stop = attribution.StopDecided
		case want <= 0:
			stop = p.stop
		}
		if stop != "" {
			ranking := s.ranking(units)
			ranking.Stopped = stop
			ranking.Estimate = r.finish(ranking.Estimate)
			return ranking, nil
		}
		done, err := s.sample(ctx, undecided, units, want)
		units += done
		if sampling.Interrupted(ctx, err) {
			ranking := s.ranking(units)
			ranking.Estimate, err = r.stopped(ranking.Estimate, err)
			return ranking, err
		}
		if err != nil {
			return Ranking{}, err
		}
		if opt.Progress != nil {
			opt.Progress(units, known(limit))
		}
	}
}

// topKState holds the statistics of each player.
type topKState struct {
	TopK
	run   *run
	stats []sampling.Scalar
}

// sample takes count pairs for the given players, with random streams numbered from first, and returns how many it
// took.
func (s *topKState) sample(ctx context.Context, players []int, first, count int) (int, error) {
	r := s.run
	m := len(players)
	chunk := chunkUnits(2*(m+1), isIncremental(r.game))
	workers := r.opt.Workers
	crew := make([]*toggler, workers)
	parts := make([][]float64, sampling.Slots(workers))
	size := func(c int) int { return min(chunk, count-c*chunk) }
	taken := 0
	compute := func(worker, c, slot int) error {
		if crew[worker] == nil {
			crew[worker] = newToggler(r, players)
		}
		if parts[slot] == nil {
			parts[slot] = make([]float64, chunk*m)
		}
		t := crew[worker]
		t.reset()
		var rng rand.PCG
		for u := range size(c) {
			sampling.SeedStream(&rng, r.opt.Seed, sampling.DomainUnit, uint64(first+c*chunk+u))
			member := 0
			if r.sampled != nil {
				member = sampling.Below(&rng, r.sampled.Members())
			}
			c := t.next(member, u, 0.5)
			sampling.Bernoulli(&rng, c, r.n, sampling.Unit(&rng))
			t.next(member, u, 0.5).Complement(c, r.n)
		}
		return t.evaluate(ctx, parts[slot][:size(c)*m])
	}
	merge := func(c, slot int) error {
		for u := range size(c) {
			for j, p := range players {
				s.stats[p].Add(parts[slot][u*m+j])
			}
			taken++
		}
		return nil
	}
	_, err := sampling.InWaves(ctx, workers, 0, (count-1)/chunk+1, compute, merge)
	return taken, err
}

// order returns the players by descending estimate, ties by ascending index.
func (s *topKState) order() []int {
	means := make([]float64, len(s.stats))
	for i, x := range s.stats {
		means[i] = x.Mean
	}
	return Largest(means, len(means))
}

func (s *topKState) border(order []int) float64 {
	if s.K == len(order) {
		return math.Inf(-1)
	}
	return (s.stats[order[s.K-1]].Mean + s.stats[order[s.K]].Mean) / 2
}

// undecided lists the players whose interval holds the border, in ascending order.
func (s *topKState) undecided() []int {
	border := s.border(s.order())
	level := 1 - (1-s.Confidence)/float64(2*len(s.stats))
	var out []int
	quantiles := map[int]float64{}
	for i, x := range s.stats {
		if x.Count < 2 {
			if !math.IsInf(border, -1) || x.Count == 0 {
				out = append(out, i)
			}
			continue
		}
		q, ok := quantiles[x.Count]
		if !ok {
			q = distuv.StudentsT{Sigma: 1, Nu: float64(x.Count - 1)}.Quantile(level)
			quantiles[x.Count] = q
		}
		se := sampling.StandardError(x.M2, x.Count)
		if se > s.run.opt.TargetStdErr && math.Abs(x.Mean-border) < q*se {
			out = append(out, i)
		}
	}
	return out
}

// ranking returns the ranking by the samples taken so far.
func (s *topKState) ranking(units int) Ranking {
	n := len(s.stats)
	out := Ranking{Estimate: attribution.Estimate{Samples: units, LeastSamples: math.MaxInt}}
	if units == 0 {
		return out
	}
	out.Values, out.StdErr, out.DF, out.Draws = make([]float64, n), make([]float64, n), make([]float64, n),
		make([]int, n)
	for i, x := range s.stats {
		out.Values[i], out.StdErr[i], out.DF[i], out.Draws[i] = x.Mean, math.NaN(), float64(x.Count-1), x.Count
		if x.Count > 1 {
			out.StdErr[i] = sampling.StandardError(x.M2, x.Count)
		}
	}
	order := s.order()
	out.Kept, out.Undecided, out.Border = order[:s.K], s.undecided(), s.border(order)
	return out
}

// KeptByPercentile is the number of n different values that lie strictly above their p-th percentile (linear
// interpolation, as numpy's default): the k of top-k for a detector that drops p percent. p is clamped to [0, 100].
func KeptByPercentile(n int, p float64) int {
	if n < 1 {
		return 0
	}
	return n - 1 - int(math.Floor(float64(n-1)*(min(max(p, 0), 100)/100)))
}

// Largest returns the indices of the k largest values, largest first, ties to the lower index and NaN last. It panics
// when k is out of range.
func Largest(x []float64, k int) []int {
	if k < 0 || k > len(x) {
		panic(fmt.Sprintf("attribution: the %d largest of %d values", k, len(x)))
	}
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[b], x[a]) })
	return order[:k]
}
