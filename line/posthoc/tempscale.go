package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// tempScale is temperature scaling of Guo et al. (On Calibration of Modern Neural Networks, ICML 2017): max_k of
// softmax(l/T), with T the temperature with the smallest negative log-likelihood of labelled in-distribution samples;
// samples without a label do not count. Samples that the network was trained on give a temperature that is too low,
// since nearly all are classified right: fit it to held-out ones. Where no finite temperature is best, because each
// label has the largest logit, or because the labels' logits are on average no larger than the mean logit, T is 1.
var tempScale = Kind{
	Name: "tempscale", Doc: "max of softmax(l/T), T of the least negative log-likelihood on held-out labelled samples",
	Source: "Guo et al., ICML 2017", FittedOn: Labels,
	Part: func(_ map[string]float64, workers int) (Part, error) {
		return Part{Score: &tempScore{workers: workers}}, nil
	},
}

type tempScore struct {
	workers int
	state   struct{ Temperature float64 }
}

func (s *tempScore) State() any { return &s.state }

func (s *tempScore) Fit(ctx context.Context, _ Head, id Samples) error {
	var labelled []int
	for i, label := range id.Labels {
		if label >= 0 {
			labelled = append(labelled, i)
		}
	}
	beta, err := bestInverseTemperature(ctx, id, labelled, s.workers)
	s.state.Temperature = 1 / beta
	return err
}

// Derive checks the temperature.
func (s *tempScore) Derive(Head) error {
	if t := s.state.Temperature; !(t > 0) || math.IsInf(t, 1) {
		return fmt.Errorf("expected a temperature above 0, got %v", t)
	}
	return nil
}

func (s *tempScore) Score() func(*Block, []float64) {
	return eachSample(func(b *Block, i int) float64 {
		l := b.LogitsOf(i)
		return 1 / sumExp(l, slices.Max(l), s.state.Temperature)
	})
}

// bestInverseTemperature returns the β = 1/T with the smallest negative log-likelihood, which is convex in β. Its
// slope, the sum over the samples of the mean of l under softmax(βl) minus the label's l, therefore increases with β.
// The root is bracketed from β = 0 on and then found by Newton's method; a step that leaves the bracket is replaced
// by bisection.
func bestInverseTemperature(ctx context.Context, s Samples, labelled []int, workers int) (float64, error) {
	slope := func(beta float64) (value, derivative float64, err error) {
		sum, err := sumOver(ctx, len(labelled), 2, workers, func() func([]float64, int) {
			var logits []float64
			return func(sum []float64, i int) {
				logits = s.logits(logits, labelled[i])
				mean, variance := tilted(logits, logits[s.Labels[labelled[i]]], beta)
				sum[0] += mean
				sum[1] += variance
			}
		})
		if err != nil {
			return 0, 0, err
		}
		return sum[0], sum[1], nil
	}
	atZero, _, err := slope(0)
	if err != nil {
		return 0, err
	}
	atInfinity, _, err := slope(math.Inf(1))
	if err != nil || atZero >= 0 || atInfinity <= 0 {
		return 1, err
	}
	lo, hi, beta := 0.0, math.Inf(1), 1.0
	for range 200 { // Newton's method needs about ten steps, bisection of a bracket to 1e-9 about thirty
		value, derivative, err := slope(beta)
		if err != nil {
			return 0, err
		}
		if value < 0 {
			lo = beta
		} else {
			hi = beta
		}
		next := beta - value/derivative
		if math.Abs(next-beta) <= 1e-9*beta {
			return next, nil
		}
		switch {
		case next > lo && next < hi: // also refuses NaN
		case math.IsInf(hi, 1):
			next = 2 * lo
		default:
			next = lo + (hi-lo)/2
		}
		if next == lo || next == hi {
			return next, nil
		}
		beta = next
	}
	return beta, nil
}

// tilted returns mean and variance of l - l_y under softmax(βl); for β = +Inf only the largest logits have weight.
func tilted(logits []float64, label, beta float64) (mean, variance float64) {
	top := slices.Max(logits)
	var sum, first, second float64
	for _, l := range logits {
		p := 1.0
		if l != top {
			p = math.Exp(beta * (l - top))
		}
		d := l - top
		sum += p
		first += float64(p * d)
		second += float64(float64(p*d) * d)
	}
	first, second = first/sum, second/sum
	return first + (top - label), second - float64(first*first)
}
