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

// RandomOrder is the name of the random order that [CompareCurves] puts beside the estimators as a baseline.
const RandomOrder = "random"

// CurveStudy compares estimators by the insertion and deletion curves of the orders they give. It needs no true
// values.
type CurveStudy struct {
	// Subjects are the games; their Truth is not used.
	Subjects []Subject
	// Estimators are those whose orders are compared, beside [RandomOrder].
	Estimators []attribution.Estimator
	// Points is handed to [InsertionDeletion].
	Points int
	// Options apply to every estimate; each game gets its own seed by [GameSeed].
	Options attribution.Options
	// Level and Resamples are those of the bootstrap bands over games; 0 stands for 0.95 and 1000.
	Level     float64
	Resamples int
	// Progress is told how many orders are done. Nil is silent.
	Progress func(done, total int)
}

// CurveRun are the curves of one order of one game.
type CurveRun struct {
	// Subject is the game's name, Estimator that of the estimator or [RandomOrder].
	Subject, Estimator string
	Curves
	// Cost is that of the estimate, 0 for [RandomOrder].
	attribution.Cost
	// Skipped says why there is no estimate, "" where there is one.
	Skipped string
}

// CurveCell summarises the orders of an estimator over the games.
type CurveCell struct {
	// Estimator is the estimator's name, or [RandomOrder]; Runs is the number of games that it was not skipped on.
	Estimator string
	Runs      int
	// Insertion, Deletion and Difference are means of the areas in units of v(N) - v(∅); games with v(N) = v(∅) do
	// not count. Difference is insertion less deletion, whose expectation is 0 for a random order.
	Insertion, Deletion, Difference Band
	// Mean holds the mean curves in the same units.
	Mean Curves
	// Cost is the mean cost of an estimate.
	attribution.Cost
}

// CurveComparison is the outcome of a [CurveStudy].
type CurveComparison struct {
	// Level is that of the bootstrap bands, a fraction such as 0.95.
	Level float64
	// Runs holds one entry for each game and order, skipped ones included.
	Runs []CurveRun
	// Cells summarises them, one entry for each order.
	Cells []CurveCell
}

// CompareCurves orders the players of every game by every estimator's values, and at random ([RandomOrder]), and
// evaluates the games along these orders. Estimators that cannot run on a game are listed as skipped. Any other error
// ends the study; when it is the error of ctx, the finished part of the comparison is returned with it.
func CompareCurves(ctx context.Context, s CurveStudy) (*CurveComparison, error) {
	if len(s.Subjects) == 0 {
		return nil, fmt.Errorf("attribution: curves: expected at least one game, got none")
	}
	if s.Level == 0 {
		s.Level = 0.95
	}
	if s.Resamples == 0 {
		s.Resamples = 1000
	}
	c := &CurveComparison{Level: s.Level}
	names := []string{RandomOrder}
	total, done := len(s.Subjects)*(len(s.Estimators)+1), 0
	for e := -1; e < len(s.Estimators); e++ {
		if e >= 0 {
			names = append(names, s.Estimators[e].Name())
		}
		for g := range s.Subjects {
			run, err := s.run(ctx, names[e+1], e, g)
			if err != nil {
				c.summarise(&s, names)
				return c, fmt.Errorf("attribution: curves of %s on %s: %w", names[e+1], s.Subjects[g].Name, err)
			}
			c.Runs = append(c.Runs, run)
			if done++; s.Progress != nil {
				s.Progress(done, total)
			}
		}
	}
	c.summarise(&s, names)
	return c, nil
}

// run makes one order of one game and its curves; e is the index of the estimator, -1 for the random order.
func (s *CurveStudy) run(ctx context.Context, name string, e, g int) (CurveRun, error) {
	sub := s.Subjects[g]
	run := CurveRun{Subject: sub.Name, Estimator: name}
	o := s.Options
	o.Seed = GameSeed(s.Options.Seed, g)
	order := make([]int, sub.Game.Players())
	if e < 0 {
		var rng rand.PCG
		sampling.SeedStream(&rng, o.Seed, sampling.DomainGame, 0)
		sampling.Permute(&rng, order)
	} else {
		found, err := s.Estimators[e].Estimate(ctx, sub.Game, o)
		if errors.Is(err, attribution.ErrBudget) || errors.Is(err, attribution.ErrNotDifferentiable) ||
			errors.Is(err, attribution.ErrNotLinear) {
			run.Skipped = err.Error()
			return run, nil
		}
		if err != nil {
			return run, err
		}
		run.Cost, order = found.Cost, estimate.Largest(found.Values, len(found.Values))
	}
	var err error
	run.Curves, err = InsertionDeletion(ctx, sub.Game, order, s.Points)
	return run, err
}

// summarise fills in the cells.
func (c *CurveComparison) summarise(s *CurveStudy, names []string) {
	for _, name := range names {
		cell := CurveCell{Estimator: name}
		var insertion, deletion, difference [][]float64
		for _, r := range c.Runs {
			if r.Estimator != name || r.Skipped != "" {
				continue
			}
			cell.Runs++
			cell.Cost = cell.Cost.Add(r.Cost)
			shares := r.Shares()
			in, out := shares.Areas()
			if math.IsNaN(in) || math.IsInf(in, 0) {
				continue
			}
			insertion, deletion, difference = append(insertion, []float64{in}), append(deletion, []float64{out}),
				append(difference, []float64{in - out})
			if cell.Mean.Share == nil {
				cell.Mean = Curves{shares.Share, make([]float64, len(shares.Share)), make([]float64, len(shares.Share))}
			}
			if len(cell.Mean.Share) != len(shares.Share) {
				// only games with the same number of players have points at the same shares and can be averaged
				continue
			}
			for k := range shares.Share {
				cell.Mean.Insertion[k] += shares.Insertion[k]
				cell.Mean.Deletion[k] += shares.Deletion[k]
			}
		}
		for k := range cell.Mean.Share {
			cell.Mean.Insertion[k] /= float64(len(insertion))
			cell.Mean.Deletion[k] /= float64(len(insertion))
		}
		cell.Cost = cell.Cost.Div(float64(cell.Runs))
		band := func(x [][]float64) Band { return bootstrapMean(x, s.Resamples, s.Level, s.Options.Seed) }
		cell.Insertion, cell.Deletion, cell.Difference = band(insertion), band(deletion), band(difference)
		c.Cells = append(c.Cells, cell)
	}
}
