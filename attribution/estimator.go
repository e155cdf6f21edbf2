package attribution

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/line-ood/goline/internal/mathx"
)

// Estimator estimates the Shapley values of a game.
type Estimator interface {
	// Name is short and distinguishes the estimator and its settings, for tables and legends.
	Name() string
	// Estimate runs until the options' stopping rule is met. When ctx ends first, the estimate holds what was
	// computed so far, with its standard errors, exactly as if that many samples had been asked for, and the error
	// wraps that of ctx; its Values are nil when nothing could be said yet. Every other error comes without an
	// estimate.
	Estimate(ctx context.Context, g Game, opt Options) (Estimate, error)
}

// Options are common to all estimators. Estimators that sample need at least one of Samples, Budget and TargetStdErr;
// the deterministic ones ignore Samples (but for [estimate.IntegratedGradients]) and TargetStdErr.
type Options struct {
	// Samples is the exact number of samples to take, in the estimator's unit: permutations, antithetic pairs,
	// coalitions, coalition pairs. With Budget set as well it is an error if so many samples do not fit the budget.
	Samples int
	// Budget is the most forward-equivalents to spend; an estimator takes as many whole samples as fit. 0 is no
	// limit.
	Budget float64
	// TargetStdErr stops sampling when the largest of the players' standard errors is at most this. The standard errors
	// are looked at after geometrically growing numbers of samples, which do not depend on the number of workers.
	TargetStdErr float64
	// Seed selects the random numbers; the same seed gives the same bits.
	Seed uint64
	// Workers is the number of goroutines, 0 for GOMAXPROCS. Results do not depend on it.
	Workers int
	// BackwardCost is what a backward pass costs in forward passes, 0 for the customary 2.
	BackwardCost float64
	// Progress is told the number of samples taken and the number that will be taken, 0 where that is not known. It
	// is called on the goroutine that called Estimate. Nil is silent.
	Progress func(done, total int)
}

// Stop says why an estimator stopped.
type Stop string

const (
	// StopSamples: the number of samples asked for was taken.
	StopSamples Stop = "samples"
	// StopBudget: another sample would not have fitted the budget.
	StopBudget Stop = "budget"
	// StopTarget: the target standard error was reached.
	StopTarget Stop = "target"
	// StopDecided: [estimate.TopK] knows the k largest.
	StopDecided Stop = "decided"
	// StopExact: nothing is left to compute.
	StopExact Stop = "exact"
	// StopInterrupted: the context ended.
	StopInterrupted Stop = "interrupted"
)

// Estimate is what an estimator found and spent.
type Estimate struct {
	// Method is the estimator's name.
	Method string
	// Names are the players' names, or nil.
	Names []string
	// Values are the estimated Shapley values [players].
	Values []float64
	// StdErr are the standard errors of Values [players]: NaN where there are too few samples to tell, 0 for exact
	// results, and for integrated gradients an estimate of the quadrature error.
	StdErr []float64
	// DF are the degrees of freedom of StdErr [players], +Inf for the normal distribution. It is nil where StdErr is
	// not the standard error of a sample.
	DF []float64
	// Samples is the number of samples behind the estimate.
	Samples int
	// LeastSamples is the number of samples from which the standard errors can be trusted, 0 where any number will
	// do. With fewer samples there are no intervals, because rare but large contributions have mostly not been seen
	// yet. It is math.MaxInt, so that there are never intervals, for an estimate whose bias the standard errors do
	// not include.
	LeastSamples int
	// Evaluations is the number of coalition values (or gradient points) that were computed, those lost to an
	// interruption included.
	Evaluations int64
	// Cost is what was spent.
	Cost
	// Empty and Full are v(∅) and v(N). NaN where the estimator does not need them.
	Empty, Full float64
	// Residual is the efficiency residual v(N) - v(∅) - Σ Values.
	Residual float64
	// Stopped says why the estimator stopped.
	Stopped Stop
}

// Interval returns the confidence interval of player i at a level such as 0.95, by Student's t with DF[i] degrees of
// freedom. Where DF is nil it is the value ± StdErr. With fewer than LeastSamples samples both ends are NaN.
func (e *Estimate) Interval(i int, level float64) (lo, hi float64) {
	if e.TooFew() {
		return math.NaN(), math.NaN()
	}
	half := e.StdErr[i]
	if e.DF != nil {
		half *= mathx.QuantileT((1+level)/2, e.DF[i])
	}
	return e.Values[i] - half, e.Values[i] + half
}

// TooFew reports whether the estimate has too few samples for intervals.
func (e *Estimate) TooFew() bool { return e.DF != nil && e.Samples < e.LeastSamples }

// MaxStdErr is the largest standard error of any player, NaN when that of some player is not known.
func (e *Estimate) MaxStdErr() float64 { return maxOrNaN(e.StdErr) }

// maxOrNaN is the largest entry, NaN when there is none or one is NaN.
func maxOrNaN(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	m := x[0]
	for _, v := range x[1:] {
		m = max(m, v)
	}
	return m
}

// Check returns an error for options that contradict each other or are out of range.
func (o Options) Check() error {
	switch {
	case o.Samples < 0:
		return fmt.Errorf("attribution: expected at least 0 samples, got %d", o.Samples)
	case o.Budget < 0 || math.IsNaN(o.Budget):
		return fmt.Errorf("attribution: expected a budget of at least 0 forward-equivalents, got %v", o.Budget)
	case o.TargetStdErr < 0 || math.IsNaN(o.TargetStdErr):
		return fmt.Errorf("attribution: expected a target standard error of at least 0, got %v", o.TargetStdErr)
	case o.BackwardCost < 0 || math.IsNaN(o.BackwardCost):
		return fmt.Errorf("attribution: expected a backward cost of at least 0 forwards, got %v", o.BackwardCost)
	case o.Workers < 0:
		return fmt.Errorf("attribution: expected at least 0 workers, got %d", o.Workers)
	}
	return nil
}

// WithDefaults returns the options with the number of workers and the cost of a backward pass filled in.
func (o Options) WithDefaults() Options {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.BackwardCost == 0 {
		o.BackwardCost = 2
	}
	return o
}

// Forecast says what reaching a target, or using up a budget, will cost.
type Forecast struct {
	// Samples is the number of samples of the whole run.
	Samples int
	// Cost is the cost of the whole run.
	Cost
	// StdErr is the largest standard error of any player to be expected after these samples.
	StdErr float64
	// Pilot is what the forecast itself has spent.
	Pilot Cost
}
