package attribute

import (
	"context"
	"errors"
	"fmt"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// findFeatures returns the features of a DATA argument, see [eval.Extractor.Find].
func (s *stage) findFeatures(ctx context.Context, x *eval.Extractor, flag, spec string,
	names ...string) (_ posthoc.Samples, err error) {
	set, err := s.net.Data(flag, spec)
	if err != nil {
		return posthoc.Samples{}, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	return x.Find(ctx, set, names...)
}

// rows returns the features of the given samples in double precision.
func rows(s posthoc.Samples, pick []int) [][]float64 {
	out := make([][]float64, len(pick))
	for k, i := range pick {
		out[k] = mathx.Float64s(s.Features[i*s.FeatureDim:][:s.FeatureDim])
	}
	return out
}

// featureSubjects returns games on penultimate neurons, which need the neurons' activations only.
func (s *stage) featureSubjects(ctx context.Context, in images) ([]subject, error) {
	if err := s.Limit(s.network, 0); err != nil {
		return nil, err
	}
	options, finish := s.EvalOptions()
	defer finish()
	x, err := command.NewExtractor(s.network, s.featuresDir, s.weightsSHA, options)
	if err != nil {
		return nil, err
	}
	all, at, err := s.featuresOf(ctx, x, in)
	if err != nil {
		return nil, err
	}
	if err := all.Validate(); err != nil {
		return nil, fmt.Errorf("--data %s: %w", s.data, err)
	}
	head, err := games.NewReadout(nets.HeadOf(s.network))
	if err != nil {
		return nil, err
	}
	o, err := s.featureOptions(ctx, x)
	if err != nil {
		return nil, err
	}
	if s.byClass {
		return s.featureClasses(head, all, at, in, o)
	}
	out := make([]subject, len(in.pick))
	for k, z := range rows(all, at) {
		if s.path {
			if o.Path, err = s.dimmed(ctx, options, in, k); err != nil {
				return nil, err
			}
		}
		g, err := games.NewPenultimate(head, z, in.label(k), o)
		if err != nil {
			return nil, fmt.Errorf("image %d (%s): %w", in.pick[k], in.ID(in.pick[k]), err)
		}
		out[k] = in.ofImage(k, g)
	}
	return out, nil
}

// featuresOf returns features that include those of the chosen images, and the indices of the chosen images among them.
// With a folder for features it computes and keeps those of all images, so that a later command finds them again;
// without it, those of the chosen images.
func (s *stage) featuresOf(ctx context.Context, x *eval.Extractor,
	in images) (all posthoc.Samples, at []int, err error) {
	if s.featuresDir != "" {
		all, err = s.findFeatures(ctx, x, "--data", s.data, "id", "fit", "data")
		all.Labels = in.labels
		return all, in.pick, err
	}
	part, err := dataset.Subset(in.Dataset, in.pick)
	if err != nil {
		return all, nil, err
	}
	if all, err = x.Find(ctx, part, "data"); err != nil {
		return all, nil, err
	}
	all.Labels = nil
	for k := range in.pick {
		at = append(at, k)
		if in.labels != nil {
			all.Labels = append(all.Labels, in.label(k))
		}
	}
	return all, at, nil
}

// featureClasses returns one game for each class that has images.
func (s *stage) featureClasses(head *games.Readout, all posthoc.Samples, at []int, in images,
	o games.PenultimateOptions) ([]subject, error) {
	classes, err := byLabel(at, all.Labels, s.network.Classes())
	if err != nil {
		return nil, err
	}
	var out []subject
	for class, members := range classes {
		if len(members) == 0 {
			continue
		}
		labels := make([]int, len(members))
		for i := range labels {
			labels[i] = class
		}
		g, err := games.NewPenultimateMean(head, rows(all, members), labels, o)
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", class, err)
		}
		out = append(out, in.ofClass(class, len(members), g))
	}
	return out, nil
}

// featureOptions returns the options of games on penultimate neurons.
func (s *stage) featureOptions(ctx context.Context, x *eval.Extractor) (o games.PenultimateOptions, err error) {
	o.Value, o.Target = s.value, s.plan.target
	if o.Groups, o.Names, err = s.group([]int{s.network.FeatureDim()}); err != nil {
		return o, err
	}
	if s.line {
		o.LINe = downstream.ScoreGame(s.det)
	}
	o.Removal, err = s.featureRemoval(ctx, x, s.removal, s.fit, s.background, s.Seed)
	return o, err
}

// featureRemoval returns the values that replace removed penultimate neurons, from the features of --fit.
func (s *stage) featureRemoval(ctx context.Context, x *eval.Extractor, removal, fit string, background int,
	seed uint64) (attribution.Removal, error) {
	if removal == "zero" {
		return attribution.RemoveToZero(), nil
	}
	all, err := s.findFeatures(ctx, x, "--fit", fit, "fit")
	if err != nil {
		return attribution.Removal{}, err
	}
	return removalFrom(all, removal, background, seed)
}

func removalFrom(all posthoc.Samples, removal string, background int, seed uint64) (attribution.Removal, error) {
	switch removal {
	case "zero":
		return attribution.RemoveToZero(), nil
	case "resample":
		return attribution.RemoveByResampling(rows(all, choose(background, all.N, seed, backgroundStream))), nil
	}
	every := rows(all, choose(0, all.N, 0, 0))
	if removal == "mean" {
		mean, err := attribution.MeanRow(every)
		return attribution.RemoveTo(mean), err
	}
	if all.Labels == nil {
		return attribution.Removal{}, command.Usagef("--removal class-mean: the images of --fit have no labels")
	}
	means, err := attribution.ClassMeans(every, all.Labels, all.Classes)
	return attribution.RemoveToClassMean(means), err
}
