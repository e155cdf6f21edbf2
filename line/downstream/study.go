package downstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
)

// Game is a named game whose Shapley values serve as contributions. Target, Groups, Names and LINe of its options are
// not used: every neuron is a player, and the class is the label.
type Game struct {
	Name    string                   // what tables call it
	Options games.PenultimateOptions // value and removal
}

// Study says which contributions are compared. Every field but Workers, BackwardCost and Progress is required.
type Study struct {
	// Data is the data on which detectors are fitted and tested: labelled samples to fit, in-distribution test
	// samples, and out-of-distribution test samples.
	Data eval.Data
	// Line holds the detector's options, the same for all contributions. Its Source is ignored.
	Line line.Options
	// Games, Estimators, Budgets and Seeds: every combination is a run.
	Games      []Game
	Estimators []attribution.Estimator
	// Budgets are the largest numbers of forward-equivalents to spend on each training sample, with resampling on
	// each pair of a training sample and a background row. Gradient × activation takes 4. A run whose budget is too
	// small is skipped.
	Budgets []float64
	// Seeds are the seeds of the runs. An estimator that drew no random numbers with the first seed does not run with
	// the others.
	Seeds []uint64
	// Graph says how the detector's graph is compiled.
	Graph graph.Options
	// Workers and BackwardCost are handed to the estimators.
	Workers      int
	BackwardCost float64
	// Progress is told how many of the runs are done. Nil is silent.
	Progress func(done, total int)
}

// Detection is how well a detector tells one set from the in-distribution test samples.
type Detection struct {
	Set string // the set's name, or [Average]
	// FPR95 and AUROC are fractions, in the convention of [metrics.Metrics].
	FPR95, AUROC float64
	// DeltaFPR95 and DeltaAUROC are the changes against the paper's contributions: positive is larger.
	DeltaFPR95, DeltaAUROC float64
}

// Run is one detector from one estimate of the contributions.
type Run struct {
	// Game and Estimator are names, Budget is the most forward-equivalents for each training sample, Seed the study's.
	Game, Estimator string
	Budget          float64
	Seed            uint64
	// Samples and Cost are sums over the classes; Cost.Seconds is the wall time of the estimates.
	Samples int
	attribution.Cost
	// Deterministic reports that the estimator drew no random numbers, so that other seeds would give the same
	// result.
	Deterministic bool
	// NeuronOverlap and WeightOverlap are the Jaccard indices of the kept neurons and weights with those kept by the
	// paper's contributions, averaged over the classes.
	NeuronOverlap, WeightOverlap float64
	// Detections holds one entry for each set and, last, one named [Average].
	Detections []Detection
	// Skipped says why there is no detector, "" where there is one.
	Skipped string
}

// Average names the mean over the sets, in which each set has the same weight.
const Average = "average"

// Result is the outcome of a study.
type Result struct {
	// Reference holds the rates of the detector made by gradient × activation of the logit in the network's own
	// graph.
	Reference []Detection
	// Runs are ordered by game, estimator, budget and seed.
	Runs []Run
}

// Measure runs the study. Contributions that an estimator cannot give, for want of budget, gradients or linearity,
// are listed as skipped; any other error ends the study. When ctx ends, the result holds the finished runs, and the
// error wraps that of ctx.
func Measure(ctx context.Context, s Study) (*Result, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	reference, err := s.reference(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{Reference: reference.detections}
	total := len(s.Games) * len(s.Estimators) * len(s.Budgets) * len(s.Seeds)
	done := 0
	for _, g := range s.Games {
		for _, e := range s.Estimators {
			for _, budget := range s.Budgets {
				for _, seed := range s.Seeds {
					run, err := s.run(ctx, reference, g, e, budget, seed)
					if err != nil {
						return r, fmt.Errorf("downstream: %s of %s: %w", e.Name(), g.Name, err)
					}
					r.Runs = append(r.Runs, run)
					if run.Deterministic || run.Skipped != "" {
						break
					}
				}
				if done += len(s.Seeds); s.Progress != nil {
					s.Progress(done, total)
				}
			}
		}
	}
	return r, nil
}

// reference is the detector that all others are compared with.
type reference struct {
	det        *line.Detector
	detections []Detection
}

func (s *Study) reference(ctx context.Context) (*reference, error) {
	det, detections, err := s.detect(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("downstream: gradient × activation: %w", err)
	}
	return &reference{det, detections}, nil
}

// detect fits a detector with the source's contributions, and measures its rates on all sets.
func (s *Study) detect(ctx context.Context, source line.Source) (*line.Detector, []Detection, error) {
	o := s.Line
	o.Source = source
	method, err := line.NewMethod(o, s.Graph)
	if err != nil {
		return nil, nil, err
	}
	found, _, err := eval.Measure(ctx, s.Data, method, eval.RunOptions{})
	if err != nil {
		return nil, nil, err
	}
	var out []Detection
	for _, set := range found.OOD {
		out = append(out, Detection{Set: set.Name, FPR95: set.Metrics.FPR95, AUROC: set.Metrics.AUROC})
	}
	mean := found.Average()
	return method.Detector(), append(out, Detection{Set: Average, FPR95: mean.FPR95, AUROC: mean.AUROC}), nil
}

// perMember is an estimator whose budget is given for each member of the game instead of for the whole game.
type perMember struct {
	attribution.Estimator
	budget float64
}

func (p perMember) Estimate(ctx context.Context, g attribution.Game,
	o attribution.Options) (attribution.Estimate, error) {
	o.Budget = p.budget
	if c, ok := g.(attribution.Costed); ok {
		o.Budget *= c.ForwardsPerValue()
	}
	return p.Estimator.Estimate(ctx, g, o)
}

// run makes one run of the study.
func (s *Study) run(ctx context.Context, ref *reference, g Game, e attribution.Estimator, budget float64,
	seed uint64) (Run, error) {
	run := Run{Game: g.Name, Estimator: e.Name(), Budget: budget, Seed: seed, Deterministic: true,
		NeuronOverlap: math.NaN(), WeightOverlap: math.NaN()}
	o := g.Options
	o.Groups, o.Names, o.LINe = nil, nil, nil
	var spent time.Duration
	source := timed{&spent, line.EstimatedContributions{
		Estimator: perMember{e, budget},
		// EstimatedContributions adds the class to the seed. Shifted seeds differ by more than the number of classes.
		Options: attribution.Options{Seed: seed << 32, Workers: s.Workers, BackwardCost: s.BackwardCost},
		Game:    o,
		Observe: func(_ int, e attribution.Estimate) {
			run.Samples += e.Samples
			run.Cost = run.Cost.Add(e.Cost)
			run.Deterministic = run.Deterministic && e.DF == nil
		},
	}}
	det, detections, err := s.detect(ctx, source)
	run.Seconds = spent.Seconds()
	for _, cannot := range []error{attribution.ErrBudget, attribution.ErrNotDifferentiable, attribution.ErrNotLinear} {
		if errors.Is(err, cannot) {
			run.Skipped, run.Deterministic = cannot.Error(), false
			return run, nil
		}
	}
	if err != nil {
		return run, err
	}
	run.compare(ref, det, detections)
	return run, nil
}

// timed is a source of contributions that adds the wall time of its measurements to spent.
type timed struct {
	spent *time.Duration
	line.Source
}

func (t timed) Measure(ctx context.Context, p *graph.Program, images graph.Batches) (*line.Contributions, error) {
	defer func(start time.Time) { *t.spent += time.Since(start) }(time.Now())
	return t.Source.Measure(ctx, p, images)
}

// compare computes the overlaps and the differences to the reference.
func (r *Run) compare(ref *reference, det *line.Detector, detections []Detection) {
	classes := det.Network().Classes()
	r.NeuronOverlap, r.WeightOverlap = 0, 0
	for c := range classes {
		r.NeuronOverlap += compare.Jaccard(ref.det.ActiveNeurons(c), det.ActiveNeurons(c)) / float64(classes)
		r.WeightOverlap += compare.Jaccard(ref.det.ActiveWeights(c), det.ActiveWeights(c)) / float64(classes)
	}
	for i := range detections {
		d := &detections[i]
		d.DeltaFPR95, d.DeltaAUROC = d.FPR95-ref.detections[i].FPR95, d.AUROC-ref.detections[i].AUROC
	}
	r.Detections = detections
}

// check returns an error for a study that cannot be run.
func (s *Study) check() error {
	switch {
	case len(s.Data.OOD) == 0 || len(s.Games) == 0 || len(s.Estimators) == 0 || len(s.Budgets) == 0 ||
		len(s.Seeds) == 0:
		return fmt.Errorf("downstream: a study of %d OOD sets, %d games, %d estimators, %d budgets and %d seeds",
			len(s.Data.OOD), len(s.Games), len(s.Estimators), len(s.Budgets), len(s.Seeds))
	}
	for _, b := range s.Budgets {
		if !(b > 0) || math.IsInf(b, 0) {
			return fmt.Errorf("downstream: expected budgets above 0 forward-equivalents, got %v", b)
		}
	}
	names := map[string]bool{}
	for _, e := range s.Estimators {
		if names[e.Name()] {
			return fmt.Errorf("downstream: two estimators are named %q", e.Name())
		}
		names[e.Name()] = true
	}
	names = map[string]bool{}
	for _, g := range s.Games {
		if names[g.Name] {
			return fmt.Errorf("downstream: two games are named %q", g.Name)
		}
		names[g.Name] = true
	}
	names = map[string]bool{Average: true}
	for _, set := range s.Data.OOD {
		if names[set.Name] {
			return fmt.Errorf("downstream: two OOD sets are named %q", set.Name)
		}
		names[set.Name] = true
	}
	for _, seed := range s.Seeds {
		if seed >= 1<<32 {
			return fmt.Errorf("downstream: expected a seed below 2^32, got %d", seed)
		}
	}
	return nil
}
