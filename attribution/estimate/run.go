package estimate

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/mathx"
)

// run is one call of an estimator: the game, the options, and what has been spent.
type run struct {
	method  string
	game    attribution.Game
	sampled attribution.Sampled // not nil when members are drawn
	opt     attribution.Options
	n       int
	start   time.Time

	empty, full     float64
	emptyOf, fullOf []float64 // [members], when members are drawn

	solving float64 // seconds spent on regressions

	evaluations   atomic.Int64 // all coalition values and gradient points
	memberValues  atomic.Int64 // values of one drawn member
	gameValues    atomic.Int64 // values of the whole game
	memberGrads   atomic.Int64
	gameGrads     atomic.Int64
	gameForwards  float64 // forwards of one value of the whole game
	memberForward float64 // forwards of one value of a member
	gameExtra     float64 // forwards of one gradient of the whole game beyond those of a value
	memberExtra   float64 // forwards of one gradient of a member beyond those of a value
}

// newGradientRun is newRun for an estimator that asks the game for gradients. A game without them is
// [attribution.ErrNotDifferentiable].
func newGradientRun(method string, g attribution.Game,
	opt attribution.Options) (*run, attribution.Differentiable, error) {
	r, err := newRun(method, g, opt)
	if err != nil {
		return nil, nil, err
	}
	d, ok := g.(attribution.Differentiable)
	if !ok {
		return nil, nil, attribution.ErrNotDifferentiable
	}
	return r, d, nil
}

// newRun checks the game and the options.
func newRun(method string, g attribution.Game, opt attribution.Options) (*run, error) {
	if err := attribution.CheckGame(g); err != nil {
		return nil, err
	}
	if err := opt.Check(); err != nil {
		return nil, err
	}
	r := &run{method: method, game: g, sampled: drawn(g), opt: opt.WithDefaults(), n: g.Players(), start: time.Now(),
		empty: math.NaN(), full: math.NaN(), gameForwards: attribution.ForwardsPerValue(g)}
	r.gameExtra = attribution.ForwardsPerGradient(g) - r.gameForwards
	if r.sampled != nil {
		r.memberForward = r.gameForwards / float64(r.sampled.Members())
		r.memberExtra = r.gameExtra / float64(r.sampled.Members())
	}
	return r, nil
}

// sample makes a run of the game and options and continues with [run.sample].
func sample(ctx context.Context, method string, g attribution.Game, opt attribution.Options,
	rest func(*run) (attribution.Estimate, error)) (attribution.Estimate, error) {
	r, err := newRun(method, g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	return r.sample(ctx, rest)
}

// sample evaluates the empty and the grand coalition and then calls rest, the estimator's own part. With a single
// player, who gets the whole difference, it does not call rest.
func (r *run) sample(ctx context.Context, rest func(*run) (attribution.Estimate, error)) (attribution.Estimate, error) {
	if err := r.endpoints(ctx); err != nil {
		return r.fail(ctx, err)
	}
	if r.n == 1 { // a single player's value needs no sampling
		return r.finish(attribution.Estimate{Values: []float64{r.full - r.empty}, StdErr: []float64{0},
			Stopped: attribution.StopExact}), nil
	}
	return rest(r)
}

// spent is the cost so far.
func (r *run) spent() attribution.Cost {
	backwards := float64(r.gameGrads.Load())*r.gameForwards + float64(r.memberGrads.Load())*r.memberForward
	forwards := float64(r.gameValues.Load())*r.gameForwards + float64(r.memberValues.Load())*r.memberForward +
		backwards +
		float64(r.gameGrads.Load())*r.gameExtra + float64(r.memberGrads.Load())*r.memberExtra
	return attribution.Cost{
		Forwards: forwards, Backwards: backwards, Equivalents: forwards + backwards*r.opt.BackwardCost,
		Seconds: time.Since(r.start).Seconds(),
	}
}

// valueCost is the cost of a value as the sampling estimators ask for it: of one member where members are drawn.
func (r *run) valueCost() float64 {
	if r.sampled != nil {
		return r.memberForward
	}
	return r.gameForwards
}

// gradientCost is the cost of a gradient as the sampling estimators ask for it.
func (r *run) gradientCost() float64 {
	if r.sampled != nil {
		return r.memberForward*(1+r.opt.BackwardCost) + r.memberExtra
	}
	return r.workCost(0, 1)
}

// values evaluates coalitions in the game of the given members, or in the whole game when members is nil.
func (r *run) values(ctx context.Context, members []int, s attribution.Coalitions, dst []float64) error {
	if s.Len() == 0 {
		return nil
	}
	if members != nil {
		if err := r.sampled.MemberValues(ctx, members, s, dst); err != nil {
			return sampling.FromGame(err)
		}
	} else if err := r.game.Values(ctx, s, dst); err != nil {
		return sampling.FromGame(err)
	}
	r.count(members != nil, s.Len())
	if i := mathx.FirstNotFinite(dst[:s.Len()]); i >= 0 {
		return fmt.Errorf("%w: %v for a coalition of %d of %d players", attribution.ErrNotFinite, dst[i],
			s.Row(i).Size(), r.n)
	}
	return nil
}

// count adds values that were computed to what the run has spent.
func (r *run) count(ofMember bool, values int) {
	r.evaluations.Add(int64(values))
	if ofMember {
		r.memberValues.Add(int64(values))
	} else {
		r.gameValues.Add(int64(values))
	}
}

// endpoints evaluates the empty and the grand coalition, of every member where members are drawn.
func (r *run) endpoints(ctx context.Context) error {
	if r.sampled == nil {
		s := attribution.NewCoalitions(r.n, 2)
		s.Row(1).Fill(r.n)
		v := make([]float64, 2)
		if err := r.values(ctx, nil, s, v); err != nil {
			return err
		}
		r.empty, r.full = v[0], v[1]
		return nil
	}
	m := r.sampled.Members()
	s := attribution.NewCoalitions(r.n, 2*m)
	members, v := make([]int, 2*m), make([]float64, 2*m)
	for i := range m {
		members[i], members[m+i] = i, i
		s.Row(m + i).Fill(r.n)
	}
	if err := r.values(ctx, members, s, v); err != nil {
		return err
	}
	r.emptyOf, r.fullOf = v[:m], v[m:]
	r.empty, r.full = mathx.Mean(r.emptyOf), mathx.Mean(r.fullOf)
	return nil
}

// ends is v(∅) and v(N) of a drawn member, or of the game.
func (r *run) ends(member int) (empty, full float64) {
	if r.sampled == nil {
		return r.empty, r.full
	}
	return r.emptyOf[member], r.fullOf[member]
}

// fixedCost is the cost of the empty and the grand coalition, which every estimate evaluates.
func (r *run) fixedCost() float64 { return 2 * r.gameForwards }

// gradients evaluates gradients of the whole game, which must be differentiable.
func (r *run) gradients(ctx context.Context, g attribution.Differentiable, alpha, values, grads []float64) error {
	if err := g.Gradients(ctx, alpha, values, grads); err != nil {
		return sampling.FromGame(err)
	}
	r.evaluations.Add(int64(len(values)))
	r.gameGrads.Add(int64(len(values)))
	return checkGradients(values, grads)
}

func checkGradients(values, grads []float64) error {
	if i := mathx.FirstNotFinite(values); i >= 0 {
		return fmt.Errorf("%w: %v", attribution.ErrNotFinite, values[i])
	}
	if i := mathx.FirstNotFinite(grads); i >= 0 {
		return fmt.Errorf("%w: a gradient is %v", attribution.ErrNotFinite, grads[i])
	}
	return nil
}

// plan holds the largest number of samples to take, and the reason for that limit.
type plan struct {
	samples int
	stop    attribution.Stop
}

// plan turns the options into a number of samples of perSample forward-equivalents each, after fixed
// forward-equivalents have been spent. It returns ErrBudget where that is less than atLeast, the smallest number from
// which the estimator can say anything.
func (r *run) plan(fixed, perSample float64, atLeast int) (plan, error) {
	o := r.opt
	switch {
	case o.Samples > 0:
		if need := fixed + float64(o.Samples)*perSample; o.Budget > 0 && need > o.Budget*(1+1e-12) {
			return plan{}, fmt.Errorf("%w: %s needs %.6g forward-equivalents for %d samples, the budget is %.6g",
				attribution.ErrBudget, r.method, need, o.Samples, o.Budget)
		}
		if o.Samples < atLeast {
			return plan{}, fmt.Errorf("%w: %s needs %d samples, %d were asked for", attribution.ErrBudget, r.method,
				atLeast, o.Samples)
		}
		return plan{o.Samples, attribution.StopSamples}, nil
	case o.Budget > 0:
		samples := math.Floor((o.Budget - fixed) / perSample * (1 + 1e-12))
		if samples < float64(atLeast) {
			return plan{}, fmt.Errorf("%w: %s needs %.6g forward-equivalents, the budget is %.6g",
				attribution.ErrBudget, r.method, fixed+float64(atLeast)*perSample, o.Budget)
		}
		return plan{int(min(samples, maxSamples)), attribution.StopBudget}, nil
	case o.TargetStdErr > 0:
		return plan{maxSamples, attribution.StopBudget}, nil
	}
	return plan{},
		fmt.Errorf("attribution: %s: expected a number of samples, a budget or a target standard error, got none",
			r.method)
}

// Deterministic is an estimator whose result does not depend on the seed and whose cost is known beforehand.
// Comparisons run it once for all seeds, and forecasts need no pilot.
type Deterministic interface {
	attribution.Estimator
	// Work is the number of values and of gradient points of the whole game that Estimate will ask for under the
	// options. Its error is one that Estimate would have.
	Work(g attribution.Game, opt attribution.Options) (values, gradients int, err error)
}

// affordable returns an error for a cost that exceeds the budget.
func (r *run) affordable(cost float64) error {
	if r.opt.Budget > 0 && cost > r.opt.Budget*(1+1e-12) {
		return fmt.Errorf("%w: %s needs %.6g forward-equivalents, the budget is %.6g", attribution.ErrBudget, r.method,
			cost, r.opt.Budget)
	}
	return nil
}

// workCost is the cost of an estimator's work in forward-equivalents.
func (r *run) workCost(values, gradients int) float64 {
	return r.gameForwards*(float64(values)+float64(gradients)*(1+r.opt.BackwardCost)) + float64(gradients)*r.gameExtra
}

// affordableWork returns an error for a deterministic estimator that costs more than the budget.
func (r *run) affordableWork(d Deterministic) error {
	values, gradients, err := d.Work(r.game, r.opt)
	if err != nil {
		return err
	}
	return r.affordable(r.workCost(values, gradients))
}

// maxSamples bounds the numbers of samples, so that an int and a float64 hold them exactly.
const maxSamples = 1 << (30 + 22*(^uint(0)>>63)) // 2^52, or 2^30 where an int has 32 bits

// reached reports whether a target standard error was asked for and has been reached.
func (r *run) reached(e *attribution.Estimate) bool {
	return r.opt.TargetStdErr > 0 && e.MaxStdErr() <= r.opt.TargetStdErr
}

// nextRound is the number of samples at which to look at the standard error next, given stdErr after done samples.
func nextRound(done, limit int, stdErr, target float64) int {
	if target == 0 {
		return limit
	}
	ratio := stdErr / target
	// Growth between 1.25 and 4 keeps both overshoot and the number of looks small.
	growth := min(max(1.02*ratio*ratio, 1.25), 4)
	if math.IsNaN(growth) {
		growth = 4
	}
	return int(min(math.Ceil(float64(done)*growth), float64(limit)))
}

// stopped ends a run that ctx cut short.
func (r *run) stopped(e attribution.Estimate, err error) (attribution.Estimate, error) {
	e.Stopped = attribution.StopInterrupted
	return r.finish(e), fmt.Errorf("attribution: %s stopped after %d samples: %w", r.method, e.Samples, err)
}

// fail ends a run without an estimate, unless the error comes from ctx, for which it returns what stopped does.
func (r *run) fail(ctx context.Context, err error) (attribution.Estimate, error) {
	if sampling.Interrupted(ctx, err) {
		return r.stopped(attribution.Estimate{}, err)
	}
	return attribution.Estimate{}, err
}

// finish fills in what all estimates have in common: method, names, cost and residual.
func (r *run) finish(e attribution.Estimate) attribution.Estimate {
	e.Method, e.Names = r.method, attribution.PlayerNames(r.game)
	e.Evaluations = r.evaluations.Load()
	e.Cost = r.spent()
	e.Empty, e.Full = r.empty, r.full
	e.Residual = math.NaN()
	if e.Values != nil {
		total := 0.0
		for _, v := range e.Values {
			total += v
		}
		e.Residual = e.Full - e.Empty - total
	}
	return e
}

// drawn returns the game as an [attribution.Sampled] game with several members, or nil when it has no more than one.
func drawn(g attribution.Game) attribution.Sampled {
	if s, ok := g.(attribution.Sampled); ok && s.Members() > 1 {
		return s
	}
	return nil
}
