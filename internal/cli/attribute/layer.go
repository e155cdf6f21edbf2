package attribute

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
)

// layerSubjects returns games on any layer, whose values come from the graph behind that layer.
func (s *stage) layerSubjects(ctx context.Context, in images) ([]subject, error) {
	if s.byClass { // an error of the labels before anything is run
		if _, err := byLabel(in.pick, in.labels, s.network.Classes()); err != nil {
			return nil, err
		}
	}
	layer, err := s.layerGames(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := dataset.Subset(in, in.pick)
	if err != nil {
		return nil, err
	}
	stream, finish := s.Stream(ctx, "images", chosen, s.network.Preprocessing())
	defer finish()
	var out []subject
	members := make([][]attribution.Game, s.network.Classes())
	for g, err := range layer.Games(ctx, stream) {
		if err != nil {
			return nil, err
		}
		one := in.ofImage(len(out), g)
		if s.byClass {
			members[one.Label] = append(members[one.Label], g)
		}
		out = append(out, one)
	}
	if !s.byClass {
		return out, nil
	}
	out = nil
	for class, played := range members {
		if len(played) == 0 {
			continue
		}
		g, err := games.NewMean(played...)
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", class, err)
		}
		out = append(out, in.ofClass(class, len(played), g))
	}
	return out, nil
}

// layerGames compiles the games of the layer.
func (s *stage) layerGames(ctx context.Context) (*games.Layer, error) {
	o := games.LayerOptions{Layer: s.layer, Value: s.value, Target: s.plan.target,
		Channels: s.channels && s.groups == 0, Graph: s.GraphOptions()}
	var model graph.Model = s.network
	if s.line {
		// The label chooses the masks, so that these do not change with the coalition.
		model, o.Output = line.Pipeline{Classifier: s.network, Detector: s.det, RouteByLabel: true}, line.Score
	}
	probe, err := s.layerProgram()
	if err != nil {
		return nil, err
	}
	if o.Groups, o.Names, err = s.group(probe.Shape(s.layer)); err != nil {
		return nil, err
	}
	if o.Removal, err = s.layerRemoval(ctx, probe); err != nil {
		return nil, err
	}
	return games.NewLayer(model, o)
}

// layerProgram returns a program that computes the activations of the layer.
func (s *stage) layerProgram() (*graph.Program, error) {
	o := s.GraphOptions()
	o.Fetch = []string{s.layer}
	prog, err := graph.Compile(s.network, o)
	if err != nil {
		return nil, command.Usagef("--layer %s: %w", s.layer, err)
	}
	return prog, nil
}

// layerRemoval returns the values that replace removed neurons, from the activations of the layer on --fit. It does not
// hold all activations in memory.
func (s *stage) layerRemoval(ctx context.Context, prog *graph.Program) (attribution.Removal, error) {
	if s.removal == "zero" {
		return attribution.RemoveToZero(), nil
	}
	set, err := s.net.Data("--fit", s.fit)
	if err != nil {
		return attribution.Removal{}, err
	}
	defer set.Close()
	use := set
	if s.removal == "resample" {
		if use, err = dataset.Subset(set, choose(s.background, set.Len(), s.Seed, backgroundStream)); err != nil {
			return attribution.Removal{}, err
		}
	}
	labels, classes := make([]int, use.Len()), 1
	if s.removal == "class-mean" {
		if labels, classes = set.Labels(), s.network.Classes(); labels == nil {
			return attribution.Removal{}, command.Usagef("--removal class-mean: the images of --fit have no labels")
		}
	}
	stream, finish := s.Stream(ctx, "fit", use, s.network.Preprocessing())
	defer finish()
	if s.removal == "resample" {
		background, err := eval.NodeRows(ctx, prog, s.layer, stream)
		return attribution.RemoveByResampling(background), err
	}
	means, err := eval.ClassMeans(ctx, prog, s.layer, stream, labels, classes)
	if err != nil {
		return attribution.Removal{}, fmt.Errorf("--fit %s: %w", s.fit, err)
	}
	if s.removal == "mean" {
		return attribution.RemoveTo(means[0]), nil
	}
	return attribution.RemoveToClassMean(means), nil
}
