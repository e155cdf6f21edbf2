package posthoc_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// extraRow returns the value with that name of sample i, in float64.
func extraRow(s posthoc.Samples, name string, i int) []float64 {
	e := s.Extra[name]
	return row(e.Values, i, e.Width)
}

func init() {
	literals["odin"] = func(p map[string]float64, q problem, i int) float64 {
		var sum float64
		l := extraRow(q.test, fmt.Sprintf("odin.logits(T=%v,eps=%v)", p["temperature"], p["eps"]), i)
		for _, v := range l {
			sum += math.Exp(v / p["temperature"])
		}
		return math.Exp(slices.Max(l)/p["temperature"]) / sum
	}
	literals["rankfeat"] = func(_ map[string]float64, q problem, i int) float64 {
		return lse(extraRow(q.test, "rankfeat.logits", i))
	}
	literals["davis-max"] = func(_ map[string]float64, q problem, i int) float64 {
		return lse(affine(q.head, extraRow(q.test, "map.max", i), nil))
	}
	literals["davis"] = func(p map[string]float64, q problem, i int) float64 {
		z := row(q.test.Features, i, q.test.FeatureDim)
		for d, s := range extraRow(q.test, "map.std", i) {
			z[d] += p["gamma"] * s
		}
		return lse(affine(q.head, z, nil))
	}
	literals["adascale-a"] = func(p map[string]float64, q problem, i int) float64 {
		z, ratio := row(q.test.Features, i, q.test.FeatureDim), literalAdascale(p, q, i)
		for d := range z {
			z[d] *= math.Exp(ratio)
		}
		return lse(affine(q.head, z, nil))
	}
	literals["adascale-l"] = func(p map[string]float64, q problem, i int) float64 {
		l, ratio := row(q.test.Logits, i, q.test.Classes), literalAdascale(p, q, i)
		for k := range l {
			l[k] *= ratio * ratio
		}
		return lse(l)
	}
	tolerance["adascale-a"], tolerance["adascale-l"] = 1e-11, 1e-11
}

// literalAdascale returns s1/s2 of sample i, 1 where both are equal.
func literalAdascale(p map[string]float64, q problem, i int) float64 {
	name := fmt.Sprintf("perturbed.features(o=%v,eps=%v)", p["o"], p["eps"])
	ranks := func(z []float64) []int { // rank of each feature, 0 for the largest
		pairs := make([][2]float64, len(z))
		for d, v := range z {
			pairs[d] = [2]float64{-v, float64(d)}
		}
		slices.SortFunc(pairs, func(a, b [2]float64) int {
			return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
		})
		r := make([]int, len(z))
		for rank, p := range pairs {
			r[int(p[1])] = rank
		}
		return r
	}
	moved := func(s posthoc.Samples, i int) float64 {
		z, c := row(s.Features, i, s.FeatureDim), extraRow(s, name, i)
		k1, k2 := max(1, int(float64(s.FeatureDim)*p["k1"]/100)), max(1, int(float64(s.FeatureDim)*p["k2"]/100))
		var sum float64
		for d, r := range ranks(z) {
			if r < k1 {
				sum += math.Max(0, c[d])
			}
			if r < k2 {
				sum += p["lambda"] * math.Abs(z[d]-c[d])
			}
		}
		return sum
	}
	below := 0.0
	for n := range q.fit.N {
		if moved(q.fit, n) <= moved(q.test, i)+1e-12 {
			below++
		}
	}
	percent := p["p_min"] + (1-below/float64(q.fit.N))*(p["p_max"]-p["p_min"])
	z := row(q.test.Features, i, q.test.FeatureDim)
	keep := max(1, len(z)-int(math.RoundToEven(float64(len(z))*percent/100)))
	var s1, s2 float64
	for d, r := range ranks(z) {
		s1 += math.Max(0, z[d])
		if r < keep {
			s2 += math.Max(0, z[d])
		}
	}
	if s1 == s2 {
		return 1
	}
	return s1 / s2
}

func TestWhatIsNeededIsAskedFor(t *testing.T) {
	p := realistic(3, 8, 20, 5)
	m := newMethod(t, "odin", posthoc.Options{Params: map[string]float64{"noise": 0.0028}})
	require.Equal(t, []string{"odin.logits(T=1000,eps=0.0028)"}, m.(posthoc.Needing).Needs())
	p.test.Extra = nil
	assert.EqualError(t, m.Score(t.Context(), p.test, make([]float64, 5)),
		`posthoc: odin: the samples lack "odin.logits(T=1000,eps=0.0028)", which is computed from images`)
	m = newMethod(t, "davis+react", posthoc.Options{})
	require.Equal(t, []string{"map.std"}, m.(posthoc.Needing).Needs())
}

// A clip together with another pooling is fitted to the pooling's result, in whatever order they are named.
func TestPoolingComesFirst(t *testing.T) {
	p := realistic(3, 8, 20, 5)
	deep := p
	deep.fit.Features, deep.test.Features = p.fit.Extra["map.max"].Values, p.test.Extra["map.max"].Values
	want := fitAndScore(t, newMethod(t, "react", posthoc.Options{}), deep)
	assert.InDeltaSlice(t, want, fitAndScore(t, newMethod(t, "davis-max+react", posthoc.Options{}), p), 1e-12)
	assert.InDeltaSlice(t, want, fitAndScore(t, newMethod(t, "react+davis-max", posthoc.Options{}), p), 1e-12)
}
