package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// TestPoorSamples: every method can be fitted to degenerate samples, and no score is NaN.
func TestPoorSamples(t *testing.T) {
	wide := realistic(1000, 8, 1000, 3)
	for i := range wide.fit.Labels { // one picture of each class
		wide.fit.Labels[i] = i
	}
	zero := realistic(4, 12, 20, 5)
	zero.fit = samplesOf(zero.head, make([]float32, 20*12))
	zero.fit.Labels = slices.Repeat([]int{0, 1, 2, 3}, 5)
	zero.test = samplesOf(zero.head, slices.Concat(make([]float32, 12), zero.test.Features[:12]))
	constant := zero
	constant.fit = samplesOf(zero.head, slices.Repeat([]float32{2.5}, 20*12))
	constant.fit.Labels = zero.fit.Labels
	equal := realistic(4, 12, 20, 5) // a network with the same output for every picture
	clear(equal.head.Weight)
	equal.fit.Logits, equal.test.Logits = make([]float32, 20*4), make([]float32, 5*4)
	wrong := realistic(4, 12, 20, 5) // no sample is classified correctly
	for i, c := range wrong.fit.Predictions() {
		wrong.fit.Labels[i] = (c + 1) % 4
	}
	large := realistic(4, 12, 20, 5)
	for i := range large.test.Features {
		large.test.Features[i] *= 1e15
	}
	large.test = samplesOf(large.head, large.test.Features)
	for what, p := range map[string]problem{
		"one class": realistic(1, 12, 20, 5), "one sample": realistic(4, 12, 1, 5), "one neuron": realistic(4, 1, 20,
			5),
		"one of all": realistic(1, 1, 1, 1), "zero features": zero, "constant features": constant,
		"equal logits": equal,
		"all wrong":    wrong, "large features": large, "1000 classes": wide,
	} {
		for _, name := range posthoc.Names() {
			dst := make([]float64, p.test.N)
			m := newMethod(t, name, posthoc.Options{Params: few(name)})
			require.NoError(t, m.Fit(t.Context(), p.head, p.fit), "%s: %s", what, name)
			require.NoError(t, m.Score(t.Context(), p.test, dst), "%s: %s", what, name)
			for i, v := range dst {
				assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s: %s: sample %d: %v", what, name, i, v)
			}
		}
	}
}

// few returns parameters for which methods that draw random heads draw only a few.
func few(name string) map[string]float64 {
	k, _ := posthoc.LookUp(name)
	for _, p := range k.Params {
		if p.Name == "r" {
			return map[string]float64{"r": 7}
		}
	}
	return nil
}
