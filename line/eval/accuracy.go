package eval

import (
	"context"
	"fmt"
	"math"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// accuracies sets the classifier's accuracies: on the ID set, on covariate-shifted ID sets, and on all of them
// together.
func (r *Result) accuracies(ctx context.Context, d Data, o RunOptions) (err error) {
	if r.ID, err = accuracy(ctx, o, d.ID.Samples); err != nil || len(d.CSID) == 0 {
		return err
	}
	all := []posthoc.Samples{d.ID.Samples}
	for _, set := range d.CSID {
		one, err := accuracy(ctx, RunOptions{}, set.Samples)
		if err != nil {
			return fmt.Errorf("accuracy%s: %w", on(set.Name), err)
		}
		r.CSID = append(r.CSID, report.CSID{Name: set.Name, N: one.N, Accuracy: one.Accuracy})
		all = append(all, set.Samples)
	}
	full, err := accuracy(ctx, o, all...)
	r.FullSpectrum = &full
	return err
}

// accuracy is the share of the labelled samples whose largest logit is that of their label, NaN where no label is
// known.
func accuracy(ctx context.Context, o RunOptions, sets ...posthoc.Samples) (report.ID, error) {
	id := report.ID{Accuracy: math.NaN()}
	var predicted, labels []int
	for _, s := range sets {
		id.N += s.N
		p, l := labelled(s)
		predicted, labels = append(predicted, p...), append(labels, l...)
	}
	if len(labels) == 0 {
		return id, nil
	}
	var err error
	if id.Accuracy, err = metrics.Accuracy(predicted, labels); err != nil || o.Resamples == 0 {
		return id, err
	}
	ci, err := metrics.BootstrapAccuracy(ctx, predicted, labels, o.Resamples, o.Level, o.Seed)
	id.AccuracyCI = &ci
	return id, err
}

// labelled returns predictions and labels of the samples whose label is known.
func labelled(s posthoc.Samples) (predicted, labels []int) {
	if s.Labels == nil {
		return nil, nil
	}
	all := s.Predictions()
	for i, label := range s.Labels {
		if label >= 0 {
			predicted, labels = append(predicted, all[i]), append(labels, label)
		}
	}
	return predicted, labels
}

// misclassification measures how well the scores separate right from wrong predictions among the samples whose label
// is known. The result is nil where no label is known.
func misclassification(s posthoc.Samples, scores []float64) (*report.Misclassification, error) {
	predicted, labels := labelled(s)
	if len(labels) == 0 {
		return nil, nil
	}
	right := make([]bool, len(labels))
	for i, label := range labels {
		right[i] = predicted[i] == label
	}
	known := make([]float64, 0, len(labels))
	for i, label := range s.Labels {
		if label >= 0 {
			known = append(known, scores[i])
		}
	}
	var r report.Misclassification
	var err error
	if r.AURC, err = metrics.AURC(known, right); err != nil {
		return nil, err
	}
	r.AUROC, err = metrics.MisclassificationAUROC(known, right)
	return &r, err
}
