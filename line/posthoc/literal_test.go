package posthoc_test

import (
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/posthoc"
)

// Literal re-implementations in float64, one sample and one weight at a time, straight from the definitions.

func literalScore(name string, p float64, head posthoc.Head, fit, s posthoc.Samples, i int) float64 {
	logits := row(s.Logits, i, s.Classes)
	z := row(s.Features, i, s.Dim)
	switch name {
	case "msp":
		var sum float64
		for _, l := range logits {
			sum += math.Exp(l)
		}
		return math.Exp(slices.Max(logits)) / sum
	case "maxlogit":
		return slices.Max(logits)
	case "energy":
		scaled := make([]float64, len(logits))
		for k, l := range logits {
			scaled[k] = l / p
		}
		return p * lse(scaled)
	case "react":
		t := percentile(row(fit.Features, 0, len(fit.Features)), p)
		for d := range z {
			z[d] = math.Min(z[d], t)
		}
		return lse(affine(head, z, nil))
	case "dice":
		mean := make([]float64, fit.Dim)
		for n := range fit.N {
			for d, v := range row(fit.Features, n, fit.Dim) {
				mean[d] += v / float64(fit.N)
			}
		}
		var contribution []float64
		for k := range head.Classes {
			for d := range head.Dim {
				contribution = append(contribution, mean[d]*float64(head.Weight[k*head.Dim+d]))
			}
		}
		t := percentile(contribution, p)
		mask := make([]bool, len(contribution))
		for e, c := range contribution {
			mask[e] = c > t
		}
		return lse(affine(head, z, mask))
	}
	panic(name)
}

func row(values []float32, i, width int) []float64 {
	out := make([]float64, width)
	for d := range out {
		out[d] = float64(values[i*width+d])
	}
	return out
}

func lse(l []float64) float64 {
	var sum float64
	for _, v := range l {
		sum += math.Exp(v)
	}
	return math.Log(sum)
}

// affine returns W z + b, or (mask*W) z + b.
func affine(head posthoc.Head, z []float64, mask []bool) []float64 {
	out := make([]float64, head.Classes)
	for k := range out {
		out[k] = float64(head.Bias[k])
		for d, v := range z {
			if e := k*head.Dim + d; mask == nil || mask[e] {
				out[k] += float64(head.Weight[e]) * v
			}
		}
	}
	return out
}

// percentile is numpy's, by sorting.
func percentile(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	v := float64(len(s)-1) * (p / 100)
	k := int(v)
	if k == len(s)-1 {
		return s[k]
	}
	return s[k] + (s[k+1]-s[k])*(v-float64(k))
}

// A problem is a head with samples to fit on and to score.
type problem struct {
	head      posthoc.Head
	fit, test posthoc.Samples
}

// drawProblem draws features on a coarse grid, so that thresholds meet ties and sums are exact in any order.
func drawProblem(t *rapid.T) problem {
	k, d := rapid.IntRange(1, 6).Draw(t, "classes"), rapid.IntRange(1, 9).Draw(t, "features")
	weight := rapid.Map(rapid.IntRange(-16, 16), func(i int) float32 { return float32(i) / 8 })
	feature := rapid.Map(rapid.IntRange(-4, 24), func(i int) float32 { return max(0, float32(i)/8) })
	head := posthoc.Head{
		Classes: k, Dim: d,
		Weight: rapid.SliceOfN(weight, k*d, k*d).Draw(t, "weight"),
		Bias:   rapid.SliceOfN(weight, k, k).Draw(t, "bias"),
	}
	draw := func(name string, n int) posthoc.Samples {
		z := rapid.SliceOfN(feature, n*d, n*d).Draw(t, name)
		return samplesOf(head, z)
	}
	return problem{
		head: head,
		fit:  draw("fit", 1<<rapid.IntRange(0, 4).Draw(t, "log2 fit")), // means of the grid are exact
		test: draw("test", rapid.IntRange(1, 11).Draw(t, "test samples")),
	}
}

func samplesOf(head posthoc.Head, z []float32) posthoc.Samples {
	n := len(z) / head.Dim
	s := posthoc.Samples{N: n, Dim: head.Dim, Classes: head.Classes, Features: z}
	for i := range n {
		for _, l := range affine(head, row(z, i, head.Dim), nil) {
			s.Logits = append(s.Logits, float32(l))
		}
	}
	return s
}
