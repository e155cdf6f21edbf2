package line

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Statistics is what [Fit] takes from a part of the training images, so that the parts can be measured on different
// machines. Merged in order they give the detector of the whole: sums are kept to about 106 bits, so that its bits do
// not depend on how the images were divided, except where the contributions of one neuron to one class differ by more
// than some 20 orders of magnitude.
type Statistics struct {
	net      nets.Classifier
	options  Options
	sums     *Contributions
	features *keptFeatures
	extent   dataset.Extent
	pictures []Hash
}

// MeasurePart measures the part of the training images that extent describes. before holds the labels of the extent.First
// images that come before the part in the whole. program and o are those of [Fit]; a source must be
// [GradientActivation] or [GivenContributions], whose sums merge.
func MeasurePart(ctx context.Context, program *graph.Program, part graph.Batches, before []int, extent dataset.Extent, o Options) (*Statistics, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	if w, _ := net.Head(); w == nil {
		return nil, fmt.Errorf("line: %s: %w", net.Name(), nets.ErrNoHead)
	}
	if len(before) != extent.First {
		return nil, fmt.Errorf("line: expected labels of the %d images before the part, got %d", extent.First, len(before))
	}
	var source showing
	switch s := o.Source.(type) {
	case nil:
		source = GradientActivation{}
	case GradientActivation:
		source = s
	case GivenContributions:
		source = s
	default:
		return nil, fmt.Errorf("line: contributions by a %T do not merge: expected gradient × activation, or given ones", s)
	}
	features := keepFeatures(net, o)
	if err := features.part(before); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	sums, err := source.measure(ctx, program, part, features.add)
	if err != nil {
		return nil, err
	}
	got := 0
	for _, n := range sums.count {
		got += n
	}
	if got != extent.Images {
		return nil, fmt.Errorf("line: expected a part of %d images, got %d", extent.Images, got)
	}
	o = o.withDefaults()
	o.Source = nil
	return &Statistics{net: net, options: o, sums: sums, features: features, extent: extent}, nil
}

// part makes the samples those of a part of a stream, before which the stream has images of the given labels.
func (k *keptFeatures) part(before []int) error {
	k.all.part(len(before))
	if k.byClass == nil {
		return nil
	}
	counts := make([]int, len(k.byClass))
	for i, label := range before {
		if label < 0 || label >= len(counts) {
			return fmt.Errorf("training image %d has label %d, expected 0 to %d", i, label, len(counts)-1)
		}
		counts[label]++
	}
	for class, n := range counts {
		k.byClass[class].part(n)
	}
	return nil
}

// WithPictures returns the statistics with the hashes of the pictures that they were measured on, see
// [Detector.WithFitPictures].
func (s *Statistics) WithPictures(pictures []Hash) *Statistics {
	out := *s
	out.pictures = sortedHashes(pictures)
	return &out
}

// Extent tells which part of which images the statistics are of.
func (s *Statistics) Extent() dataset.Extent { return s.extent }

// MergeStatistics returns the detector of all training images from the statistics of all their parts, given in any
// order. At least one part must know the network: parts that were not read from a file do, and the file of the first
// part does. names are what errors call the parts. Errors are those of [Fit], and tell which part is missing or does
// not belong to the others.
func MergeStatistics(ctx context.Context, parts []*Statistics, names []string, o graph.Options) (*Detector, error) {
	extents := make([]dataset.Extent, len(parts))
	for i, p := range parts {
		extents[i] = p.extent
	}
	order, err := dataset.OrderShards(extents, names)
	if err != nil {
		return nil, fmt.Errorf("line: merge: %w", err)
	}
	first := parts[order[0]]
	net := first.net
	if net == nil {
		return nil, fmt.Errorf("line: merge: %s does not hold the network", names[order[0]])
	}
	sums, features := NewContributions(net.Classes(), net.FeatureDim()), keepFeatures(net, first.options)
	if err := features.part(nil); err != nil {
		return nil, err
	}
	var pictures []Hash
	for _, i := range order {
		p := parts[i]
		if p.options != first.options {
			return nil, fmt.Errorf("line: merge: %s has the parameters %v, but %s has %v", names[i], p.options.Params(), names[order[0]], first.options.Params())
		}
		if err := sums.Merge(p.sums); err != nil {
			return nil, fmt.Errorf("%s: %w", names[i], err)
		}
		features.all.merge(p.features.all)
		for class, s := range p.features.byClass {
			features.byClass[class].merge(s)
		}
		pictures = append(pictures, p.pictures...)
	}
	var limits []float32
	if first.options.measuresClip() {
		if limits, err = features.clipLimits(ctx, first.options.ClipPercentile); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	d, err := newDetector(ctx, net, sums, limits, first.options)
	if err != nil {
		return nil, err
	}
	if d.fitScores, err = d.scoreFeatures(ctx, features.all, o); err != nil {
		return nil, fmt.Errorf("line: fit: %w", err)
	}
	if len(pictures) == 0 {
		return d, nil
	}
	return d.WithFitPictures(pictures), nil
}
