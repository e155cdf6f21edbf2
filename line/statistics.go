package line

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Statistics holds what [Fit] measures on a part of the training images, so that parts can be measured on different
// machines. Merged in any order, the parts give the detector of all images. Sums have about 106 bits, so that the
// detector's bits do not depend on how the images were divided, except where the contributions of one neuron to one
// class differ by more than about 20 orders of magnitude.
type Statistics struct {
	net      nets.Classifier // nil where it is not known
	options  Options
	sums     *Contributions
	features *keptFeatures
	extent   dataset.Extent // extent of a shard, otherwise zero
	spans    []Span
	unread   int
	pictures []Hash
}

// Place says where a part of the training images lies in the whole list.
type Place struct {
	// Span holds the positions of the part in the list.
	Span
	// Before holds the number of images of each class before the part. It is needed only by options that clip per
	// class, and may otherwise be nil.
	Before []int
	// Position returns the position in the part, counted from 0, of the i-th image of the stream. It is for parts
	// some of whose images are left out because they cannot be read. It is called once for each image, in order,
	// after the stream has given the image. Nil means that the stream gives all images.
	Position func(i int) int
}

// MeasurePart measures the part of the training images that extent describes. before holds the labels of the
// extent.First images before the part. program and o are those of [Fit]. A source must be [GradientActivation] or
// [GivenContributions], whose sums can be merged.
func MeasurePart(ctx context.Context, program *graph.Program, part graph.Batches, before []int, extent dataset.Extent,
	o Options) (*Statistics, error) {
	net, err := classifier(program)
	if err != nil {
		return nil, err
	}
	if len(before) != extent.First {
		return nil, fmt.Errorf("line: expected labels of the %d images before the part, got %d", extent.First,
			len(before))
	}
	place := Place{Span: Span{extent.First, extent.Images}}
	if o.measuresClip() && o.ClipPerClass {
		place.Before = make([]int, net.Classes())
		for i, label := range before {
			if label < 0 || label >= net.Classes() {
				return nil, fmt.Errorf("line: training image %d: expected a label from 0 to %d, got %d", i,
					net.Classes()-1, label)
			}
			place.Before[label]++
		}
	}
	s, err := MeasurePlace(ctx, program, part, place, o)
	if err != nil {
		return nil, err
	}
	s.extent = extent
	return s, nil
}

// MeasurePlace is [MeasurePart] for a part that is not a shard but any range of consecutive images, some of which may
// be left out. The threshold's sample is drawn by positions in the list. With more than 65,536 images, or 128 MiB of
// features, it therefore differs from the sample of a list without the images that were left out.
func MeasurePlace(ctx context.Context, program *graph.Program, part graph.Batches, place Place,
	o Options) (*Statistics, error) {
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
	if place.First < 0 || place.Images < 1 {
		return nil, fmt.Errorf("line: expected a part of 1 image or more at 0 or later, got %d at %d", place.Images,
			place.First)
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
		return nil,
			fmt.Errorf("line: expected contributions that merge, by gradient × activation or given ones, got those "+
				"by a %T", s)
	}
	features := keepFeatures(net, o)
	if err := features.part(place); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	show, got := features.add, 0
	if place.Position != nil {
		show = func(rows []float32, labels []int) {
			dim := net.FeatureDim()
			for i := range labels {
				features.all.skip(place.First + place.Position(got+i))
				features.add(rows[i*dim:][:dim], labels[i:i+1])
			}
			got += len(labels)
		}
	}
	sums, err := source.measure(ctx, program, part, show)
	switch {
	case place.Position != nil && errors.Is(err, ErrNoImages):
		sums = NewContributions(net.Classes(), net.FeatureDim())
	case err != nil:
		return nil, err
	}
	if got = sums.images(); got > place.Images || place.Position == nil && got != place.Images {
		return nil, fmt.Errorf("line: expected a part of %d images, got %d", place.Images, got)
	}
	features.all.skip(place.First + place.Images)
	o = o.withDefaults()
	o.Source = nil
	return &Statistics{net: net, options: o, sums: sums, features: features, spans: []Span{place.Span},
		unread: place.Images - got}, nil
}

// images returns the number of images in the sums.
func (c *Contributions) images() (n int) {
	for _, k := range c.count {
		n += k
	}
	return n
}

// part makes the samples those of a part of a stream.
func (k *keptFeatures) part(place Place) error {
	k.all.part(place.First)
	if k.byClass == nil {
		return nil
	}
	if place.Before == nil && place.First == 0 {
		place.Before = make([]int, len(k.byClass))
	}
	if len(place.Before) != len(k.byClass) {
		return fmt.Errorf("clip per class: expected the number of images before the part of each of %d classes, got %d",
			len(k.byClass), len(place.Before))
	}
	for class, n := range place.Before {
		k.byClass[class].part(n)
	}
	return nil
}

// WithPictures returns the statistics with the hashes of the pictures that they were measured on; see
// [Detector.WithFitPictures].
func (s *Statistics) WithPictures(pictures []Hash) *Statistics {
	out := *s
	out.pictures = sortedHashes(pictures)
	return &out
}

// Extent returns the part of the images that the statistics were measured on.
func (s *Statistics) Extent() dataset.Extent { return s.extent }

// Spans returns the images of the list that the statistics were measured on, as ascending spans with gaps between
// them, and the number of these images that were left out because they could not be read.
func (s *Statistics) Spans() (spans []Span, unread int) { return slices.Clone(s.spans), s.unread }

// Merge adds the statistics of other images of the same list, wherever in the list they are. Images that both hold
// are an error, and so are other parameters and other numbers of classes or neurons; s is then unchanged.
func (s *Statistics) Merge(other *Statistics) error {
	if other.options != s.options {
		return fmt.Errorf("line: merge: expected the parameters %v, got %v", s.options.Params(), other.options.Params())
	}
	spans, err := joinSpans(s.spans, other.spans)
	if err != nil {
		return fmt.Errorf("line: merge: %w", err)
	}
	if err := s.sums.Merge(other.sums); err != nil {
		return err
	}
	s.features.all.merge(other.features.all)
	for class, c := range other.features.byClass {
		s.features.byClass[class].merge(c)
	}
	s.spans, s.unread, s.extent = spans, s.unread+other.unread, dataset.Extent{}
	s.pictures = sortedHashes(append(slices.Clone(s.pictures), other.pictures...))
	if s.net == nil {
		s.net = other.net
	}
	return nil
}

// Detector returns the detector of a network whose training images, total in number, the statistics cover. Missing
// images are an error that names them. Other errors are those of [Fit].
func (s *Statistics) Detector(ctx context.Context, net nets.Classifier, total int, o graph.Options) (*Detector, error) {
	if err := wholeSpan(s.spans, total); err != nil {
		return nil, fmt.Errorf("line: merge: %w", err)
	}
	var limits []float32
	var err error
	if s.options.measuresClip() {
		if limits, err = s.features.clipLimits(ctx, s.options.ClipPercentile); err != nil {
			return nil, fmt.Errorf("line: %w", err)
		}
	}
	d, err := newDetector(ctx, net, s.sums, limits, s.options)
	if err != nil {
		return nil, err
	}
	if d.fitScores, err = d.scoreFeatures(ctx, s.features.all, o); err != nil {
		return nil, fmt.Errorf("line: fit: %w", err)
	}
	if len(s.pictures) == 0 {
		return d, nil
	}
	return d.WithFitPictures(s.pictures), nil
}

// MergeStatistics returns the detector of all training images from the statistics of all their shards, given in any
// order. At least one shard must know the network; a shard that was not read from a file does, and so does the file
// of the first shard. Errors call the shards by names. They are those of [Fit], and errors that say which shard is
// missing or does not belong to the others. The statistics must not be used afterwards.
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
	if first.net == nil {
		return nil, fmt.Errorf("line: merge: %s does not hold the network", names[order[0]])
	}
	for _, i := range order[1:] {
		if err := first.Merge(parts[i]); err != nil {
			return nil, fmt.Errorf("%s, with %s: %w", names[i], names[order[0]], err)
		}
	}
	return first.Detector(ctx, first.net, extents[0].Total, o)
}
