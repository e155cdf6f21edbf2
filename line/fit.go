package line

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Fit measures the contribution of each penultimate neuron to the logit of each class on labelled training images, by
// o.Source, and derives a detector from it. program is compiled from the network: its options (batch, replicas, where
// it starts) are used, not what it fetches. It errors for an option out of range, for a stream without images
// ([ErrNoImages]), an image without a label in 0 to K-1, a contribution that is not finite, and for classes without
// images, which it names; and with the stream's or ctx's error.
//
// The stream is read once and the network runs once: the features that the contributions come from are scored by the
// finished detector, which keeps these scores for [Detector.Threshold]. The features are held for that meanwhile, of
// all images as long as they are no more than 65,536 and take no more than 128 MiB, otherwise of as many, drawn evenly
// from the whole stream, always the same ones for the same stream. The result does not depend on batches and workers. A
// source other than those of this package shows no features, and leaves the detector without a threshold.
//
// A ClipPercentile is measured on the same features: those of all images up to the number above, beyond it those of the
// images drawn. With ClipPerClass each class has its share of that number, at least 1, in memory of its own, so that
// every class has images behind it: up to 6,553 for each of 10 classes and 342 neurons, but only 16 for each of
// ImageNet's 1,000 and 2,048 neurons, which is too few for most percentiles. With a ClipPercentile, a source that shows
// no features is an error.
func Fit(ctx context.Context, program *graph.Program, train graph.Batches, o Options) (*Detector, error) {
	if err := o.Check(); err != nil { // before the work, not after it
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

// show takes features in rows of D, in the order of the images, and the label of each row.
type show func(rows []float32, labels []int)

// showing is a source that shows the features it measures.
type showing interface {
	measure(ctx context.Context, program *graph.Program, images graph.Batches, show show) (*Contributions, error)
}

// Measure accumulates the contributions of labelled images by gradient × activation, as [Fit] does. Statistics of
// several calls merge.
func Measure(ctx context.Context, program *graph.Program, images graph.Batches) (*Contributions, error) {
	return measure(ctx, program, images, nil)
}

// measure is [Measure], and also hands the features to show, unless that is nil.
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

// contributes tells whether a program of the network's contributions fetches this already, so that none need be
// compiled.
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
					err = fmt.Errorf("training image %d has label %d, expected 0 to %d", seen+i, label, classes-1)
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
		return nil, fmt.Errorf("line: program of a %T, expected a classifier with a linear last layer", m)
	}
}
