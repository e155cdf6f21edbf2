package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

// Subject is a game with known Shapley values.
type Subject struct {
	// Name identifies the game in tables, for example "airplane/17".
	Name string
	// Game is what the estimators see.
	Game attribution.Game
	// Truth holds the values that estimates are compared with, see [FindTruth].
	Truth Truth
}

// Study is a comparison: every estimator on every game with every budget and seed.
type Study struct {
	// Subjects are the games and Estimators those that play them, at least one each.
	Subjects   []Subject
	Estimators []attribution.Estimator
	// Budgets are in forward-equivalents. A budget that is too small for an estimator skips it; see Run.Skipped.
	Budgets []float64
	// Seeds are the seeds of the runs; [GameSeed] derives each game's own seed from them. Estimators without
	// randomness run once.
	Seeds []uint64
	// K is the number of players that the detector keeps, for precision@k; 0 is a tenth of the players, which is what
	// LINe keeps with p_a = 90.
	K int
	// Level is the level of the confidence intervals, of the estimates as well as of the bootstrap bands; 0 stands
	// for 0.95.
	Level float64
	// Resamples is the number of bootstrap resamples behind the bands; 0 stands for 1000.
	Resamples int
	// Seed is the seed of the bootstrap.
	Seed uint64
	// Workers and BackwardCost are handed to the estimators; see [attribution.Options].
	Workers      int
	BackwardCost float64
	// Imported holds estimates that other programs made of the same games with the same budgets. Their estimates of
	// other games or budgets are ignored.
	Imported []*Imported
	// Progress is told how many of the runs are done. Nil is silent.
	Progress func(done, total int)
}

// Run is one estimator on one game with one budget and seed.
type Run struct {
	// Subject is the game's name, Estimator that of [attribution.Estimator.Name].
	Subject, Estimator string
	// Budget is what the estimate was given, in forward-equivalents.
	Budget float64
	Seed   uint64 // the study's
	// Samples, Evaluations, Cost and Stopped are those of the [attribution.Estimate].
	Samples     int
	Evaluations int64
	attribution.Cost
	Stopped attribution.Stop
	// Scores holds the metrics, NaN where one is not defined.
	Scores Scores
	// Skipped says why the estimator did not run, "" where it did.
	Skipped string
	subject int
}

// Comparison is the outcome of a study.
type Comparison struct {
	// K and Level are the values that were used; K is the first game's.
	K     int
	Level float64
	// BackwardCost is the number of forward-equivalents that a backward pass counted as.
	BackwardCost float64
	// Runs are all runs, by estimator, budget, game and seed.
	Runs []Run
	// Cells summarise the runs of each estimator and budget.
	Cells []Cell
	// Agreements compare the estimates of several seeds, by estimator, budget and game.
	Agreements []Agreement
}

// Compare runs the study. Estimators that cannot run on a game, for want of budget, gradients or linearity, are
// listed as skipped; any other error ends the study. When ctx ends, the comparison holds the finished runs, and the
// error wraps that of ctx.
func Compare(ctx context.Context, s Study) (*Comparison, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	for _, m := range s.Imported {
		if err := m.check(ctx, &s); err != nil {
			return nil, err
		}
	}
	c := &Comparison{K: s.keep(s.Subjects[0].Game.Players()), Level: s.level(),
		BackwardCost: attribution.Options{BackwardCost: s.BackwardCost}.WithDefaults().BackwardCost}
	total := len(s.Subjects) * len(s.Estimators) * len(s.Budgets) * len(s.Seeds)
	done := 0
	for _, e := range s.Estimators {
		for _, budget := range s.Budgets {
			first, values := len(c.Runs), [][]float64(nil)
			for g := range s.Subjects {
				seeds := s.Seeds
				if _, ok := e.(estimate.Deterministic); ok {
					seeds = seeds[:1]
				}
				for _, seed := range seeds {
					run, found, err := s.run(ctx, e, g, budget, seed)
					if err != nil {
						c.summarise(s)
						return c, fmt.Errorf("attribution: comparing %s on %s: %w", e.Name(), s.Subjects[g].Name, err)
					}
					c.Runs, values = append(c.Runs, run), append(values, found)
				}
				if done += len(s.Seeds); s.Progress != nil {
					s.Progress(done, total)
				}
			}
			c.agreements(&s, c.Runs[first:], values)
		}
	}
	for _, m := range s.Imported {
		for _, budget := range s.Budgets {
			first, values := len(c.Runs), [][]float64(nil)
			for g := range s.Subjects {
				runs, found := m.runs(&s, g, budget)
				c.Runs, values = append(c.Runs, runs...), append(values, found...)
			}
			c.agreements(&s, c.Runs[first:], values)
		}
	}
	c.summarise(s)
	return c, nil
}

// run makes one run of the study. It also returns the estimated values [players], nil where the run was skipped.
func (s *Study) run(ctx context.Context, e attribution.Estimator, subject int, budget float64,
	seed uint64) (Run, []float64, error) {
	sub := s.Subjects[subject]
	run := Run{Subject: sub.Name, Estimator: e.Name(), Budget: budget, Seed: seed, subject: subject}
	for m := range run.Scores {
		run.Scores[m] = math.NaN()
	}
	est, err := e.Estimate(ctx, sub.Game, attribution.Options{Budget: budget, Seed: GameSeed(seed, subject),
		Workers: s.Workers, BackwardCost: s.BackwardCost})
	if errors.Is(err, attribution.ErrBudget) || errors.Is(err, attribution.ErrNotDifferentiable) ||
		errors.Is(err, attribution.ErrNotLinear) {
		run.Skipped = err.Error()
		return run, nil, nil
	}
	if err != nil {
		return run, nil, err
	}
	run.Samples, run.Evaluations, run.Cost, run.Stopped = est.Samples, est.Evaluations, est.Cost, est.Stopped
	run.Scores = Score(sub.Truth, &est, s.keep(len(est.Values)), s.level())
	return run, est.Values, nil
}

// Score compares an estimate with the truth by all metrics. k is that of precision@k, level that of the confidence
// intervals.
func Score(truth Truth, e *attribution.Estimate, k int, level float64) Scores {
	var s Scores
	s[MSE] = MeanSquaredError(truth.Values, e.Values)
	s[MAE] = MeanAbsoluteError(truth.Values, e.Values)
	s[SpearmanRho] = Spearman(truth.Values, e.Values)
	s[KendallTau] = KendallTauB(truth.Values, e.Values)
	s[Precision] = PrecisionAtK(truth.Values, e.Values, k)
	s[Sign] = SignAgreement(truth.Values, e.Values)
	s[Efficiency] = math.Abs(e.Residual)
	s[IntervalCoverage] = Coverage(truth.Values, truth.StdErr, e, level)
	return s
}

// check reports a study that cannot be run.
func (s *Study) check() error {
	if len(s.Subjects) == 0 || len(s.Estimators) == 0 || len(s.Budgets) == 0 || len(s.Seeds) == 0 {
		return fmt.Errorf("attribution: a comparison of %d games, %d estimators, %d budgets and %d seeds",
			len(s.Subjects), len(s.Estimators), len(s.Budgets), len(s.Seeds))
	}
	for _, b := range s.Budgets {
		if !(b > 0) {
			return fmt.Errorf("attribution: expected budgets above 0 forward-equivalents, got %v", b)
		}
	}
	if !(s.level() > 0 && s.level() < 1) {
		return fmt.Errorf("attribution: expected a confidence level in (0, 1), got %v", s.Level)
	}
	if s.Resamples < 0 {
		return fmt.Errorf("attribution: expected at least 0 bootstrap resamples, got %d", s.Resamples)
	}
	names := map[string]bool{}
	for _, e := range s.Estimators {
		if names[e.Name()] {
			return fmt.Errorf("attribution: two estimators are named %q", e.Name())
		}
		names[e.Name()] = true
	}
	for _, m := range s.Imported {
		if names[m.Estimator] {
			return fmt.Errorf("%s: array \"estimator\": another estimator is named %q too", m.path, m.Estimator)
		}
		names[m.Estimator] = true
	}
	for _, sub := range s.Subjects {
		if err := attribution.CheckGame(sub.Game); err != nil {
			return fmt.Errorf("game %q: %w", sub.Name, err)
		}
		n := sub.Game.Players()
		if len(sub.Truth.Values) != n || sub.Truth.StdErr != nil && len(sub.Truth.StdErr) != n {
			return fmt.Errorf("attribution: game %q has %d players, its truth %d values and %d standard errors",
				sub.Name, n, len(sub.Truth.Values), len(sub.Truth.StdErr))
		}
		if k := s.keep(n); k < 1 || k > n {
			return fmt.Errorf("attribution: precision at %d of the %d players of game %q", k, n, sub.Name)
		}
	}
	return nil
}

// keep returns k of precision@k for a game of n players.
func (s *Study) keep(n int) int {
	if s.K != 0 {
		return s.K
	}
	return max(1, estimate.KeptByPercentile(n, 90))
}

func (s *Study) level() float64 {
	if s.Level == 0 {
		return 0.95
	}
	return s.Level
}

// GameSeed returns the seed with which [Compare] runs an estimator on game i of a study under one of the study's seeds.
// Each game has random numbers of its own, so that errors on several games are independent; game 0 takes the seed
// itself.
func GameSeed(seed uint64, game int) uint64 {
	if game == 0 {
		return seed
	}
	var rng rand.PCG
	sampling.SeedStream(&rng, seed, sampling.DomainGame, uint64(game))
	return rng.Uint64()
}
