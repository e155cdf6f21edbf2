package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/line-ood/goline/line/posthoc"
)

// largest returns which k = n - round(n p/100) features are the largest, by sorting; among equal ones those with the
// lowest indices.
func largest(z []float64, percent float64) (kept []bool) {
	n := len(z)
	half := float64(n) * percent / 100
	cut := int(math.Floor(half + 0.5))
	if half == math.Floor(half)+0.5 && cut%2 == 1 { // halves are rounded to even
		cut--
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case z[a] > z[b]:
			return -1
		case z[a] < z[b]:
			return 1
		}
		return 0
	})
	kept = make([]bool, n)
	for _, i := range order[:max(1, n-cut)] {
		kept[i] = true
	}
	return kept
}

// sums returns the sum of all features, the sum of the kept ones, and the number of kept ones.
func sums(z []float64, kept []bool) (s1, s2, k float64) {
	for i, v := range z {
		s1 += v
		if kept[i] {
			s2 += v
			k++
		}
	}
	return s1, s2, k
}

func init() {
	ash := func(change func(z, s1, s2, k float64) float64, prunes bool) literal {
		return func(params map[string]float64, q problem, i int) float64 {
			z := row(q.test.Features, i, q.test.FeatureDim)
			kept := largest(z, params["p"])
			s1, s2, k := sums(z, kept)
			for d, v := range z {
				z[d] = 0
				if kept[d] || !prunes {
					z[d] = change(v, s1, s2, k)
				}
			}
			l := affine(q.head, z, nil)
			top := slices.Max(l)
			for k := range l {
				l[k] -= top
			}
			return top + lse(l)
		}
	}
	sharpen := func(z, s1, s2, _ float64) float64 {
		if s2 == 0 {
			return z
		}
		return z * math.Exp(s1/s2)
	}
	literals["ash-p"] = ash(func(z, _, _, _ float64) float64 { return z }, true)
	literals["ash-b"] = ash(func(_, s1, _, k float64) float64 { return s1 / k }, true)
	literals["ash-s"] = ash(sharpen, true)
	literals["scale"] = ash(sharpen, false)
	literals["lts"] = func(params map[string]float64, q problem, i int) float64 {
		z := row(q.test.Features, i, q.test.FeatureDim)
		for d := range z {
			z[d] = math.Max(0, z[d])
		}
		s1, s2, _ := sums(z, largest(z, params["p"]))
		if s2 == 0 {
			s1, s2 = 1, 1
		}
		l := row(q.test.Logits, i, q.test.Classes)
		top := slices.Max(l)
		for k := range l {
			l[k] = s1 / s2 * s1 / s2 * (l[k] - top)
		}
		return s1/s2*s1/s2*top + lse(l)
	}
}

// identity is a head whose logits are the features.
func identity(n int) posthoc.Head {
	h := posthoc.Head{Classes: n, FeatureDim: n, Weight: make([]float32, n*n), Bias: make([]float32, n)}
	for i := range n {
		h.Weight[i*n+i] = 1
	}
	return h
}

// shaped returns the features after a shaper, read one by one as the largest logit of heads that show a single
// feature.
func shaped(t *testing.T, name string, params map[string]float64, z ...float32) []float64 {
	t.Helper()
	var out []float64
	for d := range z {
		h := posthoc.Head{Classes: 1, FeatureDim: len(z), Weight: make([]float32, len(z)), Bias: []float32{0}}
		h.Weight[d] = 1
		s := samplesOf(h, z)
		own := map[string]float64{}
		for key, v := range params {
			own[name+"."+key] = v
		}
		out = append(out, fitAndScore(t, newMethod(t, name+"+maxlogit", posthoc.Options{Params: own}),
			problem{h, s, s})[0])
	}
	return out
}

// Among equal values the lowest index is kept, and the number of kept features is rounded half to even.
func TestKeepTiesAndRounding(t *testing.T) {
	p := func(v float64) map[string]float64 { return map[string]float64{"p": v} }
	assert.Equal(t, []float64{0, 3, 3, 0, 0}, shaped(t, "ash-p", p(60), 1, 3, 3, 3, 2))
	assert.Equal(t, []float64{2, 2, 0, 0}, shaped(t, "ash-p", p(50), 2, 2, 2, 2))
	assert.Equal(t, []float64{0, 4, 0, 0, 0}, shaped(t, "ash-p", p(70), 1, 4, 0, 3, 2), "3.5 rounds to 4: one is kept")
	assert.Equal(t, []float64{0, 4, 0, 3, 2}, shaped(t, "ash-p", p(50), 1, 4, 0, 3, 2),
		"2.5 rounds to 2: three are kept")
	assert.Equal(t, []float64{0, 5, 0, 5, 0}, shaped(t, "ash-b", p(60), 1, 4, 0, 3, 2))
	assert.InDeltaSlice(t, []float64{0, 4 * math.Exp(10./7), 0, 3 * math.Exp(10./7), 0}, shaped(t, "ash-s", p(60), 1, 4,
		0, 3, 2), 1e-14)
	assert.InDeltaSlice(t, []float64{math.Exp(10. / 7), 4 * math.Exp(10./7), 0, 3 * math.Exp(10./7),
		2 * math.Exp(10./7)},
		shaped(t, "scale", p(60), 1, 4, 0, 3, 2), 1e-14)
	assert.InDeltaSlice(t, []float64{1 * 100. / 49, 4 * 100. / 49, 0, 3 * 100. / 49, 2 * 100. / 49},
		shaped(t, "lts", p(60), 1, 4, 0, 3, 2), 1e-14)
	assert.Equal(t, []float64{-3, -1}, shaped(t, "lts", p(50), -3, -1), "relu leaves nothing: the ratio is 1")
}

// At p = 0 nothing is pruned; at p = 100 one feature is left.
func TestKeepExtremes(t *testing.T) {
	for _, name := range []string{"ash-p", "ash-s", "scale", "lts"} {
		factor := map[string]float64{"ash-s": math.E, "scale": math.E}[name]
		if factor == 0 {
			factor = 1
		}
		got := shaped(t, name, map[string]float64{"p": 0}, 1, 2, 5)
		assert.InDeltaSlice(t, []float64{factor, 2 * factor, 5 * factor}, got, 1e-14, name)
	}
	assert.Equal(t, []float64{0, 0, 5}, shaped(t, "ash-p", map[string]float64{"p": 100}, 1, 2, 5))
	assert.Equal(t, []float64{0, 0, 8}, shaped(t, "ash-b", map[string]float64{"p": 100}, 1, 2, 5))
}

// Features of networks without a ReLU may have any sum: no score is NaN.
func TestKeepNegativeFeatures(t *testing.T) {
	head := identity(4)
	z := []float32{0, 0, 0, 0, -1, -2, -3, -4, 1, -1, 0, 0, -5, 0, 0, 0, 1e-30, -1e30, 0, 0, -1e30, 3e38, -3e38, 1}
	s := samplesOf(head, z)
	for _, name := range []string{"ash-p", "ash-b", "ash-s", "scale", "lts"} {
		for _, p := range []float64{0, 50, 75, 100} {
			for i, v := range fitAndScore(t, newMethod(t, name, posthoc.Options{Params: map[string]float64{"p": p}}),
				problem{head, s, s}) {
				assert.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s p %v sample %d: %v", name, p, i, v)
			}
		}
	}
}

// Multiplying all features by a factor multiplies the results of SCALE and ASH by it, and that of LTS for a head
// without bias.
func TestKeepIsHomogeneous(t *testing.T) {
	for _, name := range []string{"ash-p", "ash-b", "ash-s", "scale", "lts"} {
		a := shaped(t, name, nil, 1, 4, 0, 3, 2, 7, 7, 0.5)
		b := shaped(t, name, nil, 2, 8, 0, 6, 4, 14, 14, 1)
		for d := range a {
			assert.Equal(t, 2*a[d], b[d], name)
		}
	}
}
