package posthoc

import (
	"context"
	"fmt"
	"math"
)

// klm is KL matching of Hendrycks et al. (Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022):
// -min_k KL(p ‖ q_k), with q_k the mean of p over the in-distribution samples predicted as class k. A class as which
// no sample is predicted has no q_k. The score is at most 0, up to rounding.
var klm = Kind{
	Name: "klm", Doc: "-min over k of KL(p ‖ mean p of images taken for class k)",
	Source: "Hendrycks et al., ICML 2022", FittedOn: ID,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &klmScore{workers: workers}}, nil
	},
}

type klmScore struct {
	workers int
	state   struct{ LogMean []float64 } // log q_k of the classes predicted for some sample, shape [such class, class]
	means   *dense                      // product of p with log q_k: sum_j p_j log q_kj
}

func (s *klmScore) State() any { return &s.state }

func (s *klmScore) Fit(ctx context.Context, head Head, id Samples) error {
	members := make([][]int, id.Classes)
	for i, k := range id.Predictions() {
		members[k] = append(members[k], i)
	}
	var taken [][]int
	for _, m := range members {
		if len(m) > 0 {
			taken = append(taken, m)
		}
	}
	s.state.LogMean = make([]float64, len(taken)*id.Classes)
	err := forEachBlock(ctx, len(taken), 1, s.workers, func() func(lo, hi int) {
		logMean := logMeanOf(id)
		return func(lo, _ int) {
			logMean(s.state.LogMean[lo*id.Classes:][:id.Classes], taken[lo])
		}
	})
	if err != nil {
		return err
	}
	return s.Derive(head)
}

// logMeanOf returns a function that writes the logarithm of the mean of p over the samples members to dst, shape
// [class]. It is computed from log p, so that classes with tiny probabilities still have a finite logarithm.
func logMeanOf(s Samples) func(dst []float64, members []int) {
	var logits []float64
	greatest, sum := make([]float64, s.Classes), make([]float64, s.Classes)
	return func(dst []float64, members []int) {
		for j := range greatest {
			greatest[j], sum[j] = math.Inf(-1), 0
		}
		each := func(use func(j int, logP float64)) {
			for _, i := range members {
				logits = s.logits(logits, i)
				soft := softmaxOf(logits)
				for j, l := range logits {
					use(j, soft.logP(l))
				}
			}
		}
		each(func(j int, p float64) { greatest[j] = max(greatest[j], p) })
		each(func(j int, p float64) { sum[j] += math.Exp(p - greatest[j]) })
		for j := range dst {
			dst[j] = greatest[j] + math.Log(sum[j]/float64(len(members)))
		}
		// Where the mean is close to 1, its logarithm is computed as that of 1 minus the others.
		for j := range dst {
			if dst[j] > -0.5 {
				var others float64
				for k, v := range dst {
					if k != j {
						others += math.Exp(v)
					}
				}
				dst[j] = math.Log1p(-min(others, 0.5))
			}
		}
	}
}

// Derive prepares the product with log q_k.
func (s *klmScore) Derive(head Head) error {
	rows := len(s.state.LogMean) / head.Classes
	if rows == 0 || rows > head.Classes || rows*head.Classes != len(s.state.LogMean) {
		return fmt.Errorf("expected mean probabilities of %d classes for each of some, got %d", head.Classes,
			len(s.state.LogMean))
	}
	s.means = &dense{classes: rows, features: head.Classes, weight: s.state.LogMean, bias: make([]float64, rows)}
	return nil
}

func (s *klmScore) Score() func(*Block, []float64) {
	var p, cross, negentropy []float64
	return func(b *Block, dst []float64) {
		p, negentropy = p[:0], negentropy[:0]
		for i := range b.N {
			logits := b.LogitsOf(i)
			soft := softmaxOf(logits)
			var sum float64
			for _, l := range logits {
				logP := soft.logP(l)
				v := math.Exp(logP)
				p = append(p, v)
				sum += float64(v * logP)
			}
			negentropy = append(negentropy, sum)
		}
		if len(cross) < b.N*s.means.classes {
			cross = make([]float64, b.N*s.means.classes)
		}
		s.means.Logits(cross, p, b.N)
		for i := range b.N {
			best := math.Inf(-1)
			for _, v := range cross[i*s.means.classes:][:s.means.classes] {
				best = max(best, v)
			}
			dst[i] = best - negentropy[i]
		}
	}
}
