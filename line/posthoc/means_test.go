package posthoc_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// meanOf is the mean of the chosen rows, nil if none is chosen.
func meanOf(s posthoc.Samples, chosen func(i int) bool) []float64 {
	sum, n := make([]float64, s.FeatureDim), 0.0
	for i := range s.N {
		if chosen(i) {
			n++
			for d, v := range row(s.Features, i, s.FeatureDim) {
				sum[d] += v
			}
		}
	}
	if n == 0 {
		return nil
	}
	for d := range sum {
		sum[d] /= n
	}
	return sum
}

func everyone(int) bool { return true }

// predicted is the class of the largest logit, the first one at a tie.
func predicted(s posthoc.Samples, i int) int {
	best := 0
	for k, l := range row(s.Logits, i, s.Classes) {
		if l > float64(s.Logits[i*s.Classes+best]) {
			best = k
		}
	}
	return best
}

func minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range out {
		out[i] = a[i] - b[i]
	}
	return out
}

// power is the sum of |v|^p to the power 1/p, and at least 1e-12.
func power(v []float64, p float64) float64 {
	var sum float64
	for _, x := range v {
		sum += math.Pow(math.Abs(x), p)
	}
	return math.Max(math.Pow(sum, 1/p), 1e-12)
}

func inner(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// oddProblems are edge cases of what a method can be fitted on, by name.
func oddProblems() map[string]problem {
	out := map[string]problem{}
	make2 := func(classes, dim int, weight func(k, d int) float32, fit, test [][]float32) problem {
		head := posthoc.Head{Classes: classes, FeatureDim: dim, Bias: make([]float32, classes)}
		for k := range classes {
			for d := range dim {
				head.Weight = append(head.Weight, weight(k, d))
			}
		}
		p := problem{head, samplesOf(head, slices.Concat(fit...)), samplesOf(head, slices.Concat(test...))}
		p.fit.Labels = p.fit.Predictions()
		return p
	}
	zigzag := func(k, d int) float32 { return float32((k*7+d*5)%11) - 5 }
	rows := [][]float32{{1, 2, 0}, {0, 1, 3}, {2, 2, 2}, {0, 0, 1}}
	tests := append(rows, []float32{0, 0, 0}, []float32{9, 1, 4})
	out["one class"] = make2(1, 3, zigzag, rows, tests)
	out["one sample"] = make2(3, 3, zigzag, rows[:1], tests)
	out["one class, one sample, one neuron"] = make2(1, 1, zigzag, [][]float32{{2}}, [][]float32{{2}, {0}, {3}})
	out["all-zero features"] = make2(3, 3, zigzag, [][]float32{{0, 0, 0}, {0, 0, 0}}, tests)
	out["constant features"] = make2(3, 3, zigzag, [][]float32{{0.1, 0.7, 3}, {0.1, 0.7, 3}, {0.1, 0.7, 3}},
		append(tests, []float32{0.1, 0.7, 3}))
	out["a constant neuron"] = make2(3, 3, zigzag, [][]float32{{0.1, 2, 0}, {0.1, 1, 3}, {0.1, 2, 2}, {0.1, 0, 1},
		{0.1, 5, 0}}, tests)
	out["zero weights"] = make2(3, 3, func(k, d int) float32 { return 0 }, rows, tests)
	out["equal weights"] = make2(3, 3, func(k, d int) float32 { return float32(d) - 1 }, rows, tests)
	wrong := make2(3, 3, zigzag, rows, tests)
	for i := range wrong.fit.Labels {
		wrong.fit.Labels[i] = (wrong.fit.Labels[i] + 1) % 3
	}
	out["no sample classified correctly"] = wrong
	some := make2(3, 3, zigzag, rows, tests)
	some.fit.Labels[0], some.fit.Labels[2] = -1, -1
	out["some labels unknown"] = some
	large := make2(3, 3, func(k, d int) float32 { return 1e-5 * zigzag(k, d) },
		[][]float32{{1e6, 2e6, 0}, {0, 1e6, 3e6}, {2e6, 2e6, 2e6}}, tests)
	out["large features"] = large
	return out
}

// TestOddProblems: every method gives finite scores for any valid samples, and those that its definition gives.
func TestOddProblems(t *testing.T) {
	for problemName, p := range oddProblems() {
		for _, name := range posthoc.Names() {
			m := newMethod(t, name, posthoc.Options{})
			require.NoError(t, m.Fit(context.Background(), p.head, p.fit), "%s, %s", name, problemName)
			got := make([]float64, p.test.N)
			require.NoError(t, m.Score(context.Background(), p.test, got), "%s, %s", name, problemName)
			params := map[string]float64{}
			for key, v := range m.Params() {
				params[key] = v.(float64)
			}
			for i, v := range got {
				require.False(t, math.IsInf(v, 0), "%s, %s, sample %d", name, problemName, i)
				want := literals[name](params, p, i)
				if math.IsNaN(want) {
					continue // rounding decides
				}
				assert.InDelta(t, want, v, 10*within(name)*math.Max(1, math.Abs(want)), "%s, %s, sample %d", name,
					problemName, i)
			}
		}
	}
}

// TestThousandClasses: one sample for each class, with as many classes as ImageNet has.
func TestThousandClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("the literal scores take seconds")
	}
	p := realistic(1000, 24, 1000, 2)
	for i := range p.fit.Labels {
		p.fit.Labels[i] = i
	}
	for _, name := range posthoc.Names() {
		m := newMethod(t, name, posthoc.Options{Params: few(name)})
		params := map[string]float64{}
		for key, v := range m.Params() {
			params[key] = v.(float64)
		}
		for i, got := range fitAndScore(t, m, p) {
			want := literals[name](params, p, i)
			assert.InDelta(t, want, got, within(name)*math.Max(1, math.Abs(want)), "%s, sample %d", name, i)
		}
	}
}

func TestFitNeedsLabels(t *testing.T) {
	p := realistic(3, 4, 5, 2)
	for _, name := range posthoc.Names() {
		k, err := posthoc.LookUp(name)
		require.NoError(t, err)
		if k.FittedOn != posthoc.Labels || name == "line" {
			continue
		}
		for _, labels := range [][]int{nil, {-1, -1, -1, -1, -1}} {
			p.fit.Labels = labels
			assert.EqualError(t, newMethod(t, name, posthoc.Options{}).Fit(t.Context(), p.head, p.fit),
				"posthoc: "+name+": expected labelled in-distribution samples, got 5 without a label")
		}
	}
}

func optionsOf(params map[string]float64) posthoc.Options { return posthoc.Options{Params: params} }
