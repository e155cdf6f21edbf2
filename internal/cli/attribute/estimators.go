package attribute

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/cli/command"
)

// estimatorHelp explains the names of estimators.
const estimatorHelp = `Estimators are named as in the tables:
  recommended: one of the others, chosen by game, players and budget before anything is estimated
  coalition-gradients[-unbiased]            the smallest errors on penultimate neurons
  proxy-adjusted                            sampled values, with what gradients foretell taken off
  odd-regression                            the smallest errors of values alone, and on earlier layers
  deeplift-rescale                          conductance (images dimmed to black; penultimate neurons only)
  integrated-gradients[-clenshaw-curtis|-trapezoid|-right-riemann] (integrated; the rule by game if none is named)
  gradient-activation (gradient)            expected-gradients (expected)
  permutation[-rotated-R]                   antithetic[-rotated-R]
  stratified[-optimal][-STRATA]             owen[-halved][-trapezoid][-LEVELS]
  kernelshap[-paired][-unbiased]            leverageshap
  svarm[-stratified]                        exact (at most 20 players), closed-form (linear games)
  top-K, topk (as many as LINe keeps at p_a = 90)`

// topKept is the name of [estimate.TopK] with a tenth of the players as K, which is set once the game is known.
const topKept = "topk"

// parseEstimator parses the name of an estimator: its own, or a short one.
func parseEstimator(name string) (attribution.Estimator, error) {
	name = strings.TrimSpace(name)
	switch name {
	case "gradient":
		return estimate.GradientActivation{}, nil
	case "integrated":
		return estimate.IntegratedGradients{}, nil
	case "expected":
		return estimate.ExpectedGradients{}, nil
	case topKept:
		return estimate.TopK{}, nil
	}
	e, err := estimate.Parse(name)
	if err != nil {
		return nil, command.Usagef("unknown estimator %q\n%s", name, estimatorHelp)
	}
	return e, nil
}

// wantsPath tells whether an estimator needs the activations along a path from the black picture to the image.
func wantsPath(estimators []attribution.Estimator) bool {
	return slices.Contains(estimators, attribution.Estimator(estimate.Conductance{}))
}

// parseEstimators parses a list of names. A name that occurs twice is an error.
func parseEstimators(names []string) ([]attribution.Estimator, error) {
	if len(names) == 0 {
		return nil, command.Usagef("--estimators names none")
	}
	var out []attribution.Estimator
	seen := map[string]bool{}
	for _, name := range names {
		e, err := parseEstimator(name)
		if err != nil {
			return nil, err
		}
		if seen[e.Name()] {
			return nil, command.Usagef("--estimators: %s is named twice", e.Name())
		}
		seen[e.Name()] = true
		out = append(out, e)
	}
	return out, nil
}

// forPlayers returns the estimators with the settings that depend on the number of players. The input is not changed.
func forPlayers(estimators []attribution.Estimator, players int) []attribution.Estimator {
	out := make([]attribution.Estimator, len(estimators))
	for i, e := range estimators {
		if t, ok := e.(estimate.TopK); ok && t.K == 0 {
			e = estimate.TopK{K: max(1, estimate.KeptByPercentile(players, 90))}
		}
		out[i] = e
	}
	return out
}

// stopping holds the flags that say how long estimators sample.
type stopping struct {
	budget, targetStdErr, backwardCost float64
	samples                            int
}

func (s *stopping) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&s.budget, "budget", 0,
		"forward passes to spend at most, a backward counted too; 10000 where no limit is given")
	f.IntVar(&s.samples, "samples", 0, "samples to take, in the estimator's unit: permutations, pairs, coalitions")
	f.Float64Var(&s.targetStdErr, "target-stderr", 0, "sample until no neuron's standard error is larger")
	registerBackward(cmd, &s.backwardCost)
}

func registerBackward(cmd *cobra.Command, cost *float64) {
	cmd.Flags().Float64Var(cost, "backward-cost", 2, "what a backward pass counts in forward passes")
}

func checkBackward(cost float64) error {
	if !(cost > 0) || math.IsInf(cost, 0) {
		return command.Usagef("--backward-cost %v: expected a positive number", cost)
	}
	return nil
}

// defaultBudget is the budget, in forward passes, where the user sets no limit.
const defaultBudget = 10000

// options returns the options of one estimate.
func (s *stopping) options(c *command.Common) (attribution.Options, error) {
	switch {
	case !(s.budget >= 0) || math.IsInf(s.budget, 0):
		return attribution.Options{}, command.Usagef("--budget %v: expected a positive number", s.budget)
	case s.samples < 0:
		return attribution.Options{}, command.Usagef("--samples %d: expected a positive number", s.samples)
	case !(s.targetStdErr >= 0) || math.IsInf(s.targetStdErr, 0):
		return attribution.Options{}, command.Usagef("--target-stderr %v: expected a positive number", s.targetStdErr)
	}
	if err := checkBackward(s.backwardCost); err != nil {
		return attribution.Options{}, err
	}
	o := attribution.Options{Samples: s.samples, Budget: s.budget, TargetStdErr: s.targetStdErr, Seed: c.Seed,
		Workers:      c.Workers,
		BackwardCost: s.backwardCost}
	if o.Samples == 0 && o.Budget == 0 && o.TargetStdErr == 0 {
		o.Budget = defaultBudget
	}
	return o, nil
}

// predict returns a text that says what an estimate is expected to cost.
func predict(ctx context.Context, e attribution.Estimator, g attribution.Game, o attribution.Options) (string, error) {
	f, err := estimate.Predict(ctx, e, g, o, 0)
	if err != nil {
		return "", fmt.Errorf("forecast of %s: %w", e.Name(), err)
	}
	s := fmt.Sprintf("%s: %d samples, %s forward-equivalents, %s s", e.Name(), f.Samples, figure(f.Equivalents),
		figure(f.Seconds))
	if f.StdErr > 0 {
		s += fmt.Sprintf(", largest standard error %s", figure(f.StdErr))
	}
	return s, nil
}
