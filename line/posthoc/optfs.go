package posthoc

import (
	"context"
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/quantile"
)

// optFS is OptFS of Zhao et al. (Towards Optimal Feature-Shaping Methods, ICLR 2024): <w_c, theta(z) z>, with c the
// class of the largest logit, w_c its weights, and theta a function that is constant on each of 100 bins of equal
// width between the 0.1 and the 99.9 % quantile of all in-distribution features, and 0 outside. Its value on a bin is
// the mean over the samples of the sum of w_ci z_i over the features in that bin. The 100 values are scaled to the
// Euclidean length 1000, as in the authors' code. Bins include their lower end. Where both quantiles are equal, or
// all values 0, the score is 0.
var optFS = Kind{
	Name: "optfs", Doc: "<w_c, theta(z) z>, theta by bin of z the mean contribution w_c z of ID",
	Source:   "Zhao et al., ICLR 2024",
	FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &optFSScore{workers: workers}}, nil
	},
}

const (
	optFSBins   = 100
	optFSLength = 1000
)

type optFSScore struct {
	workers int
	state   struct {
		Low, High float64
		Theta     []float64 // shape [bin]
	}
	head Head
}

func (s *optFSScore) State() any { return &s.state }

func (s *optFSScore) Fit(ctx context.Context, head Head, id Samples) (err error) {
	if s.state.Low, err = quantile.Percentile(id.Features, 0.1); err != nil {
		return err
	}
	if s.state.High, err = quantile.Percentile(id.Features, 99.9); err != nil {
		return err
	}
	bin := binsOf(s.state.Low, s.state.High, optFSBins)
	classes := id.Predictions()
	theta, err := sumOver(ctx, id.N, optFSBins, s.workers, func() func([]float64, int) {
		return func(sum []float64, i int) {
			w := head.Weight[classes[i]*head.FeatureDim:][:head.FeatureDim]
			for d, v := range id.features(i) {
				if b := bin(float64(v)); b >= 0 {
					sum[b] += float64(float64(w[d]) * float64(v))
				}
			}
		}
	})
	if err != nil {
		return err
	}
	var length float64
	for b := range theta {
		theta[b] /= float64(id.N)
		length = math.Hypot(length, theta[b])
	}
	for b := range theta {
		if length > 0 {
			theta[b] *= optFSLength / length
		}
	}
	s.state.Theta = theta
	return s.Derive(head)
}

// Derive checks the number of bins and keeps the head's weights.
func (s *optFSScore) Derive(head Head) error {
	if len(s.state.Theta) != optFSBins {
		return fmt.Errorf("expected %d bins, got %d", optFSBins, len(s.state.Theta))
	}
	s.head = head
	s.head.Weight = append([]float32(nil), head.Weight...)
	return nil
}

func (s *optFSScore) Score() func(*Block, []float64) {
	bin := binsOf(s.state.Low, s.state.High, optFSBins)
	return eachSample(func(b *Block, i int) float64 {
		w := s.head.Weight[b.Prediction(i)*b.FeatureDim:][:b.FeatureDim]
		var sum float64
		for d, v := range b.FeaturesOf(i) {
			if at := bin(v); at >= 0 {
				sum += float64(float64(float64(w[d])*v) * s.state.Theta[at])
			}
		}
		return sum
	})
}

// binsOf returns a function that returns the bin of a value, among n bins of equal width over [low, high), or -1
// outside of them. Bin b begins at low + b (high - low)/n.
func binsOf(low, high float64, n int) func(v float64) int {
	width := (high - low) / float64(n)
	return func(v float64) int {
		if !(v >= low && v < high) {
			return -1
		}
		b := min(int((v-low)/width), n-1)
		// The quotient is rounded, so that it is corrected by the bins' ends.
		if b > 0 && v < low+float64(float64(b)*width) {
			b--
		} else if b < n-1 && v >= low+float64(float64(b+1)*width) {
			b++
		}
		return b
	}
}
