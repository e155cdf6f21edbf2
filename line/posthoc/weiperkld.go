package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// weiperKLD is WeiPer+KLD of Granz, Heurich and Landgraf (NeurIPS 2024): -(KL_z + lambda1 KL_l - lambda2 MSP_W).
// MSP_W is the score of weiper-msp. KL_z is the symmetric Kullback-Leibler divergence between the histogram of a
// sample's features, all neurons together, and the mean histogram of the in-distribution samples. KL_l is the same
// for the logits of all perturbed heads. Histograms have bins of equal width over the range of the in-distribution
// values; values outside are in no bin but count in the total. A sample's histogram is smoothed by a window of s1
// (features) or s2 (logits) bins, with its ends repeated. Then 0.01 or 0.025 is added to each bin of both histograms,
// and both are divided by their sums. Defaults are those of the authors' code for CIFAR-10.
//
// The histogram of the logits is learned from evenly spaced samples where all samples would take more than 3·10^11
// multiplications.
var weiperKLD = Kind{
	Name:     "weiper-kld",
	Doc:      "-(KL of the histogram of z + lambda1 KL of that of perturbed logits - lambda2 weiper-msp)",
	Source:   weiperSource,
	FittedOn: ID,
	Params: append([]Parameter{
		{Name: "lambda1", Default: 2.5, Min: 0, Max: 1e6, Grid: []float64{1, 2.5},
			Doc: "weight of the perturbed logits' divergence"},
		{Name: "lambda2", Default: 0.1, Min: 0, Max: 1e6, Doc: "weight of weiper-msp"},
		{Name: "bins", Default: 100, Min: 1, Max: 100000, Whole: true, Doc: "bins of a histogram"},
		{Name: "s1", Default: 4, Min: 1, Max: 100000, Whole: true, Doc: "bins that smoothing averages, features"},
		{Name: "s2", Default: 15, Min: 1, Max: 100000, Whole: true,
			Doc: "bins that smoothing averages, perturbed logits"},
	}, weiperParams...),
	Part: func(p map[string]float64, workers int) (Part, error) {
		return Part{Score: &weiperKLDScore{
			heads: newPerturbed(p, workers), lambda1: p["lambda1"], lambda2: p["lambda2"], bins: int(p["bins"]),
			smooth: [2]int{int(p["s1"]), int(p["s2"])},
		}}, nil
	},
}

const weiperWork = 3e11 // largest number of multiplications of one pass of Fit over the perturbed heads

type weiperKLDScore struct {
	heads            *perturbed
	lambda1, lambda2 float64
	bins             int
	smooth           [2]int
	state            struct {
		FeatureLow, FeatureHigh, LogitLow, LogitHigh float64
		Features, Logits                             []float64 // mean histograms, shape [bin]
	}
}

func (s *weiperKLDScore) State() any { return &s.state }

// Bytes is the memory of the perturbed heads, in bytes.
func (s *weiperKLDScore) Bytes() int64 { return s.heads.bytes() }

// BlockSize is the number of samples that share a pass over the perturbed heads.
func (s *weiperKLDScore) BlockSize() int { return perturbedBlock }

func (s *weiperKLDScore) Fit(ctx context.Context, head Head, id Samples) error {
	if err := s.heads.make(ctx, head); err != nil {
		return err
	}
	all := make([]int, id.N)
	for i := range all {
		all[i] = i
	}
	few := evenly(id.N, int(weiperWork/(float64(len(s.heads.weights))*float64(len(head.Weight)))))
	learn := func(indices []int, start func() each) (low, high float64, histogram []float64, err error) {
		if low, high, err = rangeOf(ctx, id, indices, s.heads.workers, start); err != nil {
			return 0, 0, nil, err
		}
		histogram, err = s.histogram(ctx, id, indices, low, high, start)
		return low, high, histogram, err
	}
	st := &s.state
	var err error
	if st.FeatureLow, st.FeatureHigh, st.Features, err = learn(all, func() each {
		return func(z []float64, n int, use func(values []float64)) { use(z) }
	}); err != nil {
		return err
	}
	st.LogitLow, st.LogitHigh, st.Logits, err = learn(few, func() each {
		logits := s.heads.logits()
		return func(z []float64, n int, use func(values []float64)) {
			logits(z, n, 1, func(_ int, l []float64) { use(l) })
		}
	})
	return err
}

// Derive makes the perturbed heads.
func (s *weiperKLDScore) Derive(head Head) error {
	if len(s.state.Features) != s.bins || len(s.state.Logits) != s.bins {
		return fmt.Errorf("expected histograms of %d bins, got %d and %d", s.bins, len(s.state.Features),
			len(s.state.Logits))
	}
	return s.heads.make(context.Background(), head)
}

// each calls use with values of n samples with features z. It is for one goroutine.
type each func(z []float64, n int, use func(values []float64))

// eachBlock processes blocks of the samples with those indices on several goroutines, each with its own function from
// start.
func eachBlock(ctx context.Context, s Samples, indices []int, workers int, start func() func(z []float64,
	n int)) error {
	return forEachBlock(ctx, len(indices), perturbedBlock, workers, func() func(lo, hi int) {
		use, z := start(), make([]float64, perturbedBlock*s.FeatureDim)
		return func(lo, hi int) {
			for at, i := range indices[lo:hi] {
				for d, v := range s.features(i) {
					z[at*s.FeatureDim+d] = float64(v)
				}
			}
			use(z[:(hi-lo)*s.FeatureDim], hi-lo)
		}
	})
}

// rangeOf returns the smallest and the largest value of the samples.
func rangeOf(ctx context.Context, s Samples, indices []int, workers int,
	start func() each) (low, high float64, err error) {
	type bounds struct{ low, high float64 }
	found := make(chan *bounds, max(workers, 1))
	err = eachBlock(ctx, s, indices, workers, func() func([]float64, int) {
		b, values := &bounds{math.Inf(1), math.Inf(-1)}, start()
		found <- b
		return func(z []float64, n int) {
			values(z, n, func(values []float64) {
				for _, v := range values {
					b.low, b.high = min(b.low, v), max(b.high, v)
				}
			})
		}
	})
	close(found)
	low, high = math.Inf(1), math.Inf(-1)
	for b := range found {
		low, high = min(low, b.low), max(high, b.high)
	}
	return low, high, err
}

// histogram returns the share of each bin in all values of the samples. It counts in whole numbers, so that the order
// of counting does not matter.
func (s *weiperKLDScore) histogram(ctx context.Context, id Samples, indices []int, low, high float64,
	start func() each) ([]float64, error) {
	found := make(chan []float64, max(s.heads.workers, 1))
	err := eachBlock(ctx, id, indices, s.heads.workers, func() func([]float64, int) {
		counts, count, values := make([]float64, s.bins+1), s.counter(low, high), start()
		found <- counts
		return func(z []float64, n int) {
			values(z, n, func(values []float64) {
				count(counts, values)
				counts[s.bins] += float64(len(values))
			})
		}
	})
	close(found)
	sum := make([]float64, s.bins+1)
	for counts := range found {
		for b, v := range counts {
			sum[b] += v
		}
	}
	for b := range sum[:s.bins] {
		sum[b] /= sum[s.bins]
	}
	return sum[:s.bins], err
}

// counter returns a function that adds values to the counts of their bins over [low, high].
func (s *weiperKLDScore) counter(low, high float64) func(counts, values []float64) {
	bin := binsOf(low, high, s.bins)
	return func(counts, values []float64) {
		for _, v := range values {
			if v == high {
				counts[s.bins-1]++
			} else if b := bin(v); b >= 0 {
				counts[b]++
			}
		}
	}
}

func (s *weiperKLDScore) Score() func(*Block, []float64) {
	logits := s.heads.logits()
	countFeatures, countLogits := s.counter(s.state.FeatureLow, s.state.FeatureHigh),
		s.counter(s.state.LogitLow, s.state.LogitHigh)
	own, smoothed := make([]float64, s.bins), make([]float64, s.bins)
	var counts []float64 // shape [sample, bin]
	return func(b *Block, dst []float64) {
		if len(counts) < b.N*s.bins {
			counts = make([]float64, b.N*s.bins)
		}
		clear(counts)
		clear(dst)
		logits(b.Features(), b.N, b.workers(s.heads.workers), func(sample int, l []float64) {
			countLogits(counts[sample*s.bins:][:s.bins], l)
			dst[sample] += 1 / sumExp(l, slices.Max(l), 1)
		})
		heads := float64(len(s.heads.weights))
		for i := range dst {
			msp := dst[i] / heads
			logit := s.divergence(s.state.Logits, counts[i*s.bins:][:s.bins], heads*float64(b.Classes), s.smooth[1],
				0.025, smoothed)
			clear(own)
			countFeatures(own, b.FeaturesOf(i))
			feature := s.divergence(s.state.Features, own, float64(b.FeatureDim), s.smooth[0], 0.01, smoothed)
			dst[i] = -(feature + float64(s.lambda1*logit) - float64(s.lambda2*msp))
		}
	}
}

// divergence is the symmetric Kullback-Leibler divergence between p and the smoothed counts divided by total; eps is
// added to both.
func (s *weiperKLDScore) divergence(p, counts []float64, total float64, window int, eps float64,
	smoothed []float64) float64 {
	left := (window - 1) / 2
	var ps, qs float64
	for b := range smoothed {
		var sum float64
		for at := b - left; at < b-left+window; at++ {
			sum += counts[min(max(at, 0), len(counts)-1)]
		}
		smoothed[b] = sum/(float64(window)*total) + eps
		ps += p[b] + eps
		qs += smoothed[b]
	}
	var divergence float64
	for b, q := range smoothed {
		p, q := (p[b]+eps)/ps, q/qs
		divergence += float64((p - q) * math.Log(p/q))
	}
	return divergence
}

// evenly returns at most limit of n indices, and at least one, evenly spaced.
func evenly(n, limit int) []int {
	count := max(1, min(n, limit))
	out := make([]int, count)
	for i := range out {
		out[i] = i * n / count
	}
	return out
}
