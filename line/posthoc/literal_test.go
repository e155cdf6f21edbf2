package posthoc_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/posthoc"
)

// Literal re-implementations in float64, one sample and one weight at a time, directly from the definitions.

// A literal computes a method's score of sample i of q.test after fitting to q.fit, independently of the method's
// code; NaN where rounding decides the score. The test files of single methods add their own literals.
type literal func(params map[string]float64, q problem, i int) float64

var literals = map[string]literal{
	"msp": func(_ map[string]float64, q problem, i int) float64 {
		logits := row(q.test.Logits, i, q.test.Classes)
		var sum float64
		for _, l := range logits {
			sum += math.Exp(l)
		}
		return math.Exp(slices.Max(logits)) / sum
	},
	"maxlogit": func(_ map[string]float64, q problem, i int) float64 {
		return slices.Max(row(q.test.Logits, i, q.test.Classes))
	},
	"energy": func(params map[string]float64, q problem, i int) float64 {
		t := params["temperature"]
		scaled := row(q.test.Logits, i, q.test.Classes)
		for k := range scaled {
			scaled[k] /= t
		}
		return t * lse(scaled)
	},
	"react": func(params map[string]float64, q problem, i int) float64 {
		return lse(affine(q.head, clipped(params["percentile"], q, i), nil))
	},
	"dice": func(params map[string]float64, q problem, i int) float64 {
		return lse(affine(q.head, row(q.test.Features, i, q.test.FeatureDim), diceMask(params["p"], q)))
	},
	"dice+react": func(params map[string]float64, q problem, i int) float64 {
		return lse(affine(q.head, clipped(params["react.percentile"], q, i), diceMask(params["dice.p"], q)))
	},
}

// learned holds what a literal computes once from the fitted samples, for all scored samples.
type learned struct {
	params map[string]float64
	fit    []float32 // its address identifies the samples; kept so that no other slice can get the address
	value  any
}

var lastLearned = map[string]learned{}

func learn[T any](name string, params map[string]float64, q problem, compute func() T) T {
	last, ok := lastLearned[name]
	if !ok || &last.fit[0] != &q.fit.Features[0] || !maps.Equal(last.params, params) {
		last = learned{maps.Clone(params), q.fit.Features, compute()}
		lastLearned[name] = last
	}
	return last.value.(T)
}

// clipped returns the features of sample i after ReAct.
func clipped(percent float64, q problem, i int) []float64 {
	t := learn("react", map[string]float64{"percentile": percent}, q, func() float64 {
		return percentile(row(q.fit.Features, 0, len(q.fit.Features)), percent)
	})
	z := row(q.test.Features, i, q.test.FeatureDim)
	for d := range z {
		z[d] = math.Min(z[d], t)
	}
	return z
}

// diceMask returns which weights DICE keeps.
func diceMask(percent float64, q problem) []bool {
	return learn("dice", map[string]float64{"p": percent}, q, func() []bool {
		mean := make([]float64, q.fit.FeatureDim)
		for n := range q.fit.N {
			for d, v := range row(q.fit.Features, n, q.fit.FeatureDim) {
				mean[d] += v / float64(q.fit.N)
			}
		}
		var contribution []float64
		for k := range q.head.Classes {
			for d := range q.head.FeatureDim {
				contribution = append(contribution, mean[d]*float64(q.head.Weight[k*q.head.FeatureDim+d]))
			}
		}
		t := percentile(contribution, percent)
		mask := make([]bool, len(contribution))
		for e, c := range contribution {
			mask[e] = c > t
		}
		return mask
	})
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
			if e := k*head.FeatureDim + d; mask == nil || mask[e] {
				out[k] += float64(head.Weight[e]) * v
			}
		}
	}
	return out
}

// percentile is numpy's percentile, by sorting.
func percentile(values []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	v := float64(len(s)-1) * (p / 100)
	k := int(v)
	if k == len(s)-1 {
		return s[k]
	}
	return s[k] + (s[k+1]-s[k])*(v-float64(k))
}

// problem is a head with samples to fit on and samples to score.
type problem struct {
	head      posthoc.Head
	fit, test posthoc.Samples
}

// drawProblem draws features on a coarse grid, so that thresholds meet ties, and sums are exact in any order.
func drawProblem(t *rapid.T) problem {
	k, d := rapid.IntRange(1, 6).Draw(t, "classes"), rapid.IntRange(1, 9).Draw(t, "features")
	weight := rapid.Map(rapid.IntRange(-16, 16), func(i int) float32 { return float32(i) / 8 })
	feature := rapid.Map(rapid.IntRange(-4, 24), func(i int) float32 { return max(0, float32(i)/8) })
	head := posthoc.Head{
		Classes: k, FeatureDim: d,
		Weight: rapid.SliceOfN(weight, k*d, k*d).Draw(t, "weight"),
		Bias:   rapid.SliceOfN(weight, k, k).Draw(t, "bias"),
	}
	draw := func(name string, n int) posthoc.Samples {
		z := rapid.SliceOfN(feature, n*d, n*d).Draw(t, name)
		return samplesOf(head, z)
	}
	p := problem{
		head: head,
		// a power of two, so that means of grid values are exact
		fit:  draw("fit", 1<<rapid.IntRange(0, 4).Draw(t, "log2 fit")),
		test: draw("test", rapid.IntRange(1, 11).Draw(t, "test samples")),
	}
	p.fit.Labels = rapid.SliceOfN(rapid.IntRange(0, k-1), p.fit.N, p.fit.N).Draw(t, "labels")
	return p
}

func samplesOf(head posthoc.Head, z []float32) posthoc.Samples {
	n := len(z) / head.FeatureDim
	s := posthoc.Samples{N: n, FeatureDim: head.FeatureDim, Classes: head.Classes, Features: z}
	for i := range n {
		for _, l := range affine(head, row(z, i, head.FeatureDim), nil) {
			s.Logits = append(s.Logits, float32(l))
		}
	}
	s.Extra = extrasOf(s)
	return s
}

// extrasOf makes up the values that any method needs of samples, with any parameters, on the same coarse grid. The
// values of a sample depend on that sample alone.
func extrasOf(s posthoc.Samples) map[string]posthoc.Extra {
	out := map[string]posthoc.Extra{}
	for _, name := range everyNeed() {
		e := posthoc.Extra{Width: s.FeatureDim}
		from, change := s.Features, func(v float32, d int) float32 { return max(0, v-float32(d%2)/8) }
		switch {
		case strings.Contains(name, "logits"):
			e.Width, from, change = s.Classes, s.Logits, func(v float32, k int) float32 { return v - float32(k%3)/8 }
		case strings.HasPrefix(name, "map.gram"):
			powers, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "map.gram(powers="), ")"))
			if err != nil {
				panic(err)
			}
			e.Width = powers * s.FeatureDim // for each power the features with small changes
			from = make([]float32, s.N*e.Width)
			for i := range from {
				from[i] = s.Features[i/e.Width*s.FeatureDim+i%s.FeatureDim]
			}
			change = func(v float32, j int) float32 { return v - float32(j%5)/8 }
		case name == "map.max":
			change = func(v float32, d int) float32 { return v + float32(d%4)/4 }
		case name == "map.std":
			change = func(v float32, d int) float32 { return v / 2 }
		}
		for i, v := range from {
			e.Values = append(e.Values, change(v, i%e.Width))
		}
		out[name] = e
	}
	return out
}

// everyNeed lists the names of the values that known methods need, with their defaults and with all values of their
// grids.
var everyNeed = sync.OnceValue(func() []string {
	var names []string
	for _, k := range posthoc.Kinds() {
		settings := []map[string]float64{{}}
		for _, p := range k.Params {
			var more []map[string]float64
			for _, v := range append([]float64{p.Default}, p.Grid...) {
				for _, s := range settings {
					s = maps.Clone(s)
					s[p.Name] = v
					more = append(more, s)
				}
			}
			settings = more
			if len(settings) > 500 { // enough for all methods that need something
				break
			}
		}
		for _, s := range settings {
			m, err := posthoc.New(k.Name, posthoc.Options{Params: s})
			if err != nil {
				continue
			}
			if n, ok := m.(posthoc.Needing); ok {
				names = append(names, n.Needs()...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
})
