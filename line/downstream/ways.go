package downstream

import (
	"context"
	"fmt"
	"time"

	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/report"
)

// Way is a way to compute contributions.
type Way struct {
	Name   string      // what tables call it
	Source line.Source // what computes the contributions
}

// WayResult is what LINe makes of contributions computed one way, beside a detector fitted to others.
type WayResult struct {
	// Name is the way's.
	Name string
	// Spearman is the rank correlation of the mean contributions with the other detector's, in [-1, 1]; Jaccard the
	// overlap of the neurons kept, in [0, 1]. Both are means over the classes.
	Spearman, Jaccard float64
	// Worst is the largest difference of two mean contributions.
	Worst float64
	// Average holds the mean detection rates over the OOD sets.
	Average report.Average
	// Seconds is how long fitting and testing took.
	Seconds float64
}

// CompareWays fits LINe with contributions computed each way, tests it, and compares it with a detector fitted to the
// same samples. The options' Source is ignored.
func CompareWays(ctx context.Context, data eval.Data, with *line.Detector, options line.Options, o graph.Options,
	ways []Way) ([]WayResult, error) {
	var results []WayResult
	for _, w := range ways {
		start := time.Now()
		options.Source = w.Source
		method, err := line.NewMethod(options, o)
		if err != nil {
			return nil, fmt.Errorf("downstream: contributions by %s: %w", w.Name, err)
		}
		found, _, err := eval.Measure(ctx, data, method, eval.RunOptions{})
		if err != nil {
			return nil, fmt.Errorf("downstream: contributions by %s: %w", w.Name, err)
		}
		r := compareMeans(with, method.Detector())
		r.Name, r.Seconds, r.Average = w.Name, time.Since(start).Seconds(), found.Average()
		results = append(results, r)
	}
	return results, nil
}

// compareMeans compares two detectors of one network.
func compareMeans(with, other *line.Detector) (r WayResult) {
	k, f := with.Network().Classes(), with.Network().FeatureDim()
	these, those := with.Mean(), other.Mean()
	for c := range k {
		a, b := mathx.Float64s(these[c*f:][:f]), mathx.Float64s(those[c*f:][:f])
		r.Spearman += compare.Spearman(a, b) / float64(k)
		r.Jaccard += compare.Jaccard(with.ActiveNeurons(c), other.ActiveNeurons(c)) / float64(k)
		for i := range a {
			r.Worst = max(r.Worst, a[i]-b[i], b[i]-a[i])
		}
	}
	return r
}
