package attribution

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// Multipliers account for the whole change of the value, and at the same logits they are the gradient.
func TestMultipliersAccountForTheChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 6).Draw(t, "classes")
		wide := rapid.SampledFrom([]float64{1e-8, 1, 30, 900}).Draw(t, "spread")
		draw := func(name string) []float64 {
			return rapid.SliceOfN(rapid.Float64Range(-wide, wide), k, k).Draw(t, name)
		}
		from, to, class := draw("from"), draw("to"), rapid.IntRange(0, k-1).Draw(t, "class")
		for _, v := range []Value{Logit, LogSumExp, LogProbability, Probability} {
			m := make([]float64, k)
			if !v.Multipliers(from, to, class, m) {
				t.Fatalf("%v has a rule", v)
			}
			sum, size := 0.0, 1.0
			for i := range m {
				sum += m[i] * (to[i] - from[i])
				size += math.Abs(m[i] * (to[i] - from[i]))
			}
			if want := v.Of(to, class) - v.Of(from, class); !(math.Abs(sum-want) <= 1e-9*size) {
				t.Fatalf("%v: parts sum to %v, the value changes by %v", v, sum, want)
			}
			gradient := make([]float64, k)
			v.Gradient(to, class, gradient)
			v.Multipliers(to, to, class, m)
			for i := range m {
				if math.Abs(m[i]-gradient[i]) > 1e-9 {
					t.Fatalf("%v by logit %d: %v, the gradient is %v", v, i, m[i], gradient[i])
				}
			}
		}
	})
	assert.False(t, Margin.Multipliers([]float64{1, 2}, []float64{2, 1}, 0, make([]float64, 2)))
}
