package line

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/nets"
)

// Source obtains contributions from labelled images.
type Source interface {
	// Measure returns the contributions of the images' neurons. program is that of [Fit]. It should read the stream
	// only once, because not every stream can be read again.
	Measure(ctx context.Context, program *graph.Program, images graph.Batches) (*Contributions, error)
}

// GradientActivation is the paper's source: gradient × activation of the logit of the label, in the network's own
// graph. It is the default of [Fit].
type GradientActivation struct{}

// Measure calls the function [Measure].
func (GradientActivation) Measure(ctx context.Context, program *graph.Program,
	images graph.Batches) (*Contributions, error) {
	return Measure(ctx, program, images)
}

func (GradientActivation) measure(
	ctx context.Context, program *graph.Program, images graph.Batches, show show,
) (*Contributions, error) {
	return measure(ctx, program, images, show)
}

// EstimatedContributions uses the Shapley values of any estimator as contributions: row k of C holds those of the
// game whose value is the mean over the images labelled k. With the logit game and removal to zero every
// estimator converges to what [GradientActivation] computes. Other values and removals give other detectors.
type EstimatedContributions struct {
	// Estimator makes the values, package estimate has them; it must not be nil.
	Estimator attribution.Estimator
	// Options are the estimator's options for each class; class k runs with seed Options.Seed + k.
	Options attribution.Options
	// Game says which game is played on the penultimate neurons. Its target is the label. Groups, Names and LINe must
	// be unset, since every neuron is a player.
	Game games.PenultimateOptions
	// Observe, if not nil, is called with the estimate of each class.
	Observe func(class int, e attribution.Estimate)
}

// Measure runs the network once for the features, which are kept in memory, and then one estimate for each class. A
// class without images is an error that names it.
func (s EstimatedContributions) Measure(ctx context.Context, program *graph.Program,
	images graph.Batches) (*Contributions, error) {
	return s.measure(ctx, program, images, func([]float32, []int) {})
}

func (s EstimatedContributions) measure(
	ctx context.Context, program *graph.Program, images graph.Batches, show show,
) (*Contributions, error) {
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	if s.Game.Groups != nil || s.Game.LINe != nil {
		return nil,
			fmt.Errorf("line: contributions are those of single neurons to a value of the logits: the game has " +
				"groups or a LINe score")
	}
	byClass, err := featuresByClass(ctx, program, net, images, show)
	if err != nil {
		return nil, err
	}
	head, err := games.NewReadout(nets.HeadOf(net))
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	c := NewContributions(net.Classes(), net.FeatureDim())
	for class, rows := range byClass {
		c.count[class] = len(rows)
	}
	if err := c.checkCounts(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	opt := s.Game
	opt.Target = attribution.TargetLabel()
	for class, rows := range byClass {
		labels := make([]int, len(rows))
		for i := range labels {
			labels[i] = class
		}
		game, err := games.NewPenultimateMean(head, rows, labels, opt)
		if err != nil {
			return nil, fmt.Errorf("line: class %d: %w", class, err)
		}
		eo := s.Options
		eo.Seed += uint64(class)
		e, err := s.Estimator.Estimate(ctx, game, eo)
		if err != nil {
			return nil, fmt.Errorf("line: contributions of class %d by %s: %w", class, s.Estimator.Name(), err)
		}
		for i, v := range e.Values {
			if v-v != 0 {
				return nil, fmt.Errorf("line: contribution of neuron %d to class %d by %s is %v", i, class,
					s.Estimator.Name(), v)
			}
			c.hi[class*c.features+i] = v * float64(len(rows))
		}
		if s.Observe != nil {
			s.Observe(class, e)
		}
	}
	return c, nil
}

// featuresByClass returns the features of labelled images, [class][image][feature], and calls show with them in the
// order of the stream.
func featuresByClass(
	ctx context.Context, program *graph.Program, net nets.Classifier, images graph.Batches, show show,
) ([][][]float64, error) {
	o := program.Options()
	o.Fetch = []string{nets.Features}
	prog, err := graph.Compile(net, o)
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	out := make([][][]float64, net.Classes())
	seen := 0
	for b, err := range prog.Run(ctx, checkLabels(images, net.Classes())) {
		if err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		z := b.Float32(nets.Features)
		show(z, b.Labels)
		for i, label := range b.Labels {
			out[label] = append(out[label], mathx.Float64s(z[i*net.FeatureDim():][:net.FeatureDim()]))
		}
		seen += b.N
	}
	if seen == 0 {
		return nil, fmt.Errorf("line: fit: %w", ErrNoImages)
	}
	return out, nil
}
