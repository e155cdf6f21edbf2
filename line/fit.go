package line

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Fit measures, by o.Source, the contribution of each penultimate neuron to the logit of each class on labelled
// training images, and makes a detector from it. program is compiled from the network; Fit uses its options (batch,
// replicas, start), not the nodes that it fetches. Errors are those of an option out of range, a stream without
// images ([ErrNoImages]), an image without a label in 0 to K-1, a contribution that is not finite, classes without
// images, which are named, and those of the stream and of ctx.
//
// The stream is read once and the network runs once on each image. The finished detector scores the features from
// which the contributions were measured, and keeps these scores for [Detector.Threshold]. Until then the features are
// held in memory: those of all images, as long as these are at most 65,536 and their features take at most 128 MiB;
// otherwise those of as many images as fit, drawn evenly from the whole stream. The same stream always gives the same
// draw. The result does not depend on batches and workers. A source that is not one of this package does not show its
// features, so that the detector has no threshold.
//
// A ClipPercentile is measured on the same features. With ClipPerClass each class has its own share of the number of
// images above, at least 1, so that every class has images: up to 6,553 for each of 10 classes with 342 neurons, but
// only 16 for each of ImageNet's 1,000 classes with 2,048 neurons, which is too few for most percentiles. With a
// ClipPercentile, a source that does not show features is an error.
func Fit(ctx context.Context, program *graph.Program, train graph.Batches, o Options) (*Detector, error) {
	if err := o.Check(); err != nil { // an error should come before the work
		return nil, fmt.Errorf("line: %w", err)
	}
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	if w, _ := net.Head(); w == nil {
		return nil, fmt.Errorf("line: %s: %w", net.Name(), nets.ErrNoHead)
	}
	source := o.Source
	if source == nil {
		source = GradientActivation{}
	}
	shown, ok := source.(showing)
	if !ok {
		if o.measuresClip() {
			return nil,
				fmt.Errorf("line: clip percentile %v needs the features of training images, which a source %T does "+
					"not show", o.ClipPercentile, source)
		}
		c, err := source.Measure(ctx, program, train)
		if err != nil {
			return nil, err
		}
		return New(ctx, net, c, o)
	}
	features := keepFeatures(net, o)
	c, err := shown.measure(ctx, program, train, features.add)
	if err != nil {
		return nil, err
	}
	var limits []float32
	if o.measuresClip() {
		if limits, err = features.clipLimits(ctx, o.ClipPercentile); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	d, err := newDetector(ctx, net, c, limits, o)
	if err != nil {
		return nil, err
	}
	if d.fitScores, err = d.scoreFeatures(ctx, features.all, program.Options()); err != nil {
		return nil, fmt.Errorf("line: fit: %w", err)
	}
	return d, nil
}

// show receives features in rows of D, in the order of the images, and the label of each row.
type show func(rows []float32, labels []int)

// showing is a source that passes the features that it measures to show.
type showing interface {
	measure(ctx context.Context, program *graph.Program, images graph.Batches, show show) (*Contributions, error)
}

// Measure accumulates the contributions of labelled images by gradient × activation, as [Fit] does. The results of
// several calls can be merged.
func Measure(ctx context.Context, program *graph.Program, images graph.Batches) (*Contributions, error) {
	return measure(ctx, program, images, nil)
}

// measure is [Measure]; unless show is nil it also passes the features to show.
func measure(
	ctx context.Context, program *graph.Program, images graph.Batches, show show,
) (*Contributions, error) {
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	po := program.Options()
	po.Fetch = []string{ContributionsNode}
	if show != nil {
		po.Fetch = append(po.Fetch, nets.Features)
	}
	prog := program
	if !contributes(program, po.Fetch) {
		if prog, err = graph.Compile(Pipeline{Classifier: net}, po); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	c := NewContributions(net.Classes(), net.FeatureDim())
	seen := 0
	for out, err := range prog.Run(ctx, checkLabels(images, net.Classes())) {
		if err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
		rows := out.Float32(ContributionsNode)
		for i, label := range out.Labels {
			if err := c.Add(label, rows[i*c.features:][:c.features]); err != nil {
				return nil, fmt.Errorf("line: training image %d: %w", seen+i, err)
			}
		}
		if show != nil {
			show(out.Float32(nets.Features), out.Labels)
		}
		seen += out.N
	}
	if seen == 0 {
		return nil, fmt.Errorf("line: fit: %w", ErrNoImages)
	}
	return c, nil
}

// contributes reports whether a program of the network's contributions already fetches these nodes, so that none need
// be compiled.
func contributes(program *graph.Program, fetch []string) bool {
	p, ok := program.Model().(Pipeline)
	return ok && p.Detector == nil && slices.Equal(program.Options().Fetch, fetch)
}

// checkLabels ends a stream with an error at the first sample whose label is missing or out of range.
func checkLabels(batches graph.Batches, classes int) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		seen := 0
		for b, err := range batches {
			if err == nil && len(b.Labels) == 0 && b.N > 0 {
				err = fmt.Errorf("training images have no labels")
			}
			for i, label := range b.Labels {
				if err == nil && (label < 0 || label >= classes) {
					err = fmt.Errorf("training image %d: expected a label from 0 to %d, got %d", seen+i, classes-1,
						label)
				}
			}
			if err != nil {
				yield(graph.Batch{}, err)
				return
			}
			seen += b.N
			if !yield(b, nil) {
				return
			}
		}
	}
}

func classifier(program *graph.Program) (nets.Classifier, error) {
	switch m := program.Model().(type) {
	case Pipeline:
		return m.Classifier, nil
	case nets.Classifier:
		return m, nil
	default:
		return nil, fmt.Errorf("line: program: expected a classifier with a linear last layer, got a %T", m)
	}
}
