package posthoc

import (
	"context"
	"fmt"
	"slices"
)

// tiny is the smallest norm by which features are divided, as in PyTorch's normalize.
const tiny = 1e-12

// classMeans returns the mean features of the samples of each class, shape [class, feature], and the number of
// samples of each class, shape [class]. classOf has shape [sample]; samples of class -1 are left out, and the mean of
// a class without samples is zero. Workers divide the features, not the samples, so that each sum is taken in the
// order of the samples.
func classMeans(ctx context.Context, s Samples, classOf []int, workers int) (means []float64, counts []int, err error) {
	means, counts = make([]float64, s.Classes*s.FeatureDim), make([]int, s.Classes)
	for _, c := range classOf {
		if c >= 0 {
			counts[c]++
		}
	}
	err = forEachBlock(ctx, s.FeatureDim, 64, workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for i, c := range classOf {
				if c < 0 {
					continue
				}
				sums := means[c*s.FeatureDim+lo : c*s.FeatureDim+hi]
				for d, v := range s.Features[i*s.FeatureDim+lo : i*s.FeatureDim+hi] {
					sums[d] += float64(v)
				}
			}
			for c, n := range counts {
				if n > 0 {
					for d := lo; d < hi; d++ {
						means[c*s.FeatureDim+d] /= float64(n)
					}
				}
			}
		}
	})
	return means, counts, err
}

// predictedMeans returns the mean features of the samples predicted as each class, shape [class, feature]. A class as
// which no sample is predicted has the mean of all samples.
func predictedMeans(ctx context.Context, s Samples, workers int) ([]float64, error) {
	means, counts, err := classMeans(ctx, s, s.Predictions(), workers)
	if err != nil || !slices.Contains(counts, 0) {
		return means, err
	}
	all, err := meanFeatures(ctx, s, workers)
	if err != nil {
		return nil, err
	}
	for c, n := range counts {
		if n == 0 {
			copy(means[c*s.FeatureDim:], all)
		}
	}
	return means, nil
}

// checkLabels returns an error unless some samples have labels.
func checkLabels(s Samples) error {
	for _, label := range s.Labels {
		if label >= 0 {
			return nil
		}
	}
	return fmt.Errorf("expected labelled in-distribution samples, got %d without a label", s.N)
}

// checkLength returns an error unless a value of a restored state has the length that fits the head.
func checkLength(what string, got, want int) error {
	if got != want {
		return fmt.Errorf("expected %s of %d values, got %d", what, want, got)
	}
	return nil
}

// energies returns the log-sum-exp of each sample's logits, shape [sample].
func energies(ctx context.Context, s Samples, workers int) ([]float64, error) {
	out := make([]float64, s.N)
	err := forEachBlock(ctx, s.N, 256, workers, func() func(lo, hi int) {
		l := make([]float64, s.Classes)
		return func(lo, hi int) {
			for i := lo; i < hi; i++ {
				for k, v := range s.Logits[i*s.Classes : (i+1)*s.Classes] {
					l[k] = float64(v)
				}
				out[i] = logSumExp(l, 1)
			}
		}
	})
	return out, err
}
