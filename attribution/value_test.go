package attribution

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var allValues = []Value{Logit, Probability, LogProbability, LogSumExp, Margin}

func TestValuesOfKnownLogits(t *testing.T) {
	l := []float64{math.Log(1), math.Log(2), math.Log(5)}
	assert.InDelta(t, math.Log(2), Logit.Of(l, 1), 1e-15)
	assert.InDelta(t, 0.25, Probability.Of(l, 1), 1e-15)
	assert.InDelta(t, math.Log(0.25), LogProbability.Of(l, 1), 1e-15)
	assert.InDelta(t, math.Log(8), LogSumExp.Of(l, 1), 1e-15)
	assert.InDelta(t, math.Log(2)-math.Log(5), Margin.Of(l, 1), 1e-15)
	assert.InDelta(t, math.Log(5)-math.Log(2), Margin.Of(l, 2), 1e-15, "the winner's runner-up is the second")
	huge := []float64{1000, 1000, -1000}
	assert.InDelta(t, 1000+math.Log(2), LogSumExp.Of(huge, 0), 1e-12, "no overflow")
	assert.InDelta(t, 0.5, Probability.Of(huge, 0), 1e-12)
}

func TestValueGradientsMatchFiniteDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(allValues).Draw(t, "value")
		l := rapid.SliceOfN(rapid.Float64Range(-5, 5), 2, 6).Draw(t, "logits")
		c := rapid.IntRange(0, len(l)-1).Draw(t, "class")
		if v == Margin && nearTie(l, c) {
			t.Skip("a kink")
		}
		grad := make([]float64, len(l))
		v.Gradient(l, c, grad)
		const h = 1e-6
		for k := range l {
			up, down := append([]float64(nil), l...), append([]float64(nil), l...)
			up[k] += h
			down[k] -= h
			want := (v.Of(up, c) - v.Of(down, c)) / (2 * h)
			if math.Abs(grad[k]-want) > 1e-7 {
				t.Fatalf("%v by logit %d: %v, finite differences %v", v, k, grad[k], want)
			}
		}
	})
}

func nearTie(l []float64, c int) bool {
	r := runnerUp(l, c)
	for k, x := range l {
		if k != c && k != r && math.Abs(x-l[r]) < 1e-4 {
			return true
		}
	}
	return false
}

func TestMarginGradientAtATieTakesTheFirstRunnerUp(t *testing.T) {
	grad := make([]float64, 3)
	Margin.Gradient([]float64{1, 2, 2}, 0, grad)
	assert.Equal(t, []float64{1, -1, 0}, grad)
}

func TestParseValue(t *testing.T) {
	for _, v := range allValues {
		got, err := ParseValue(v.String())
		require.NoError(t, err)
		assert.Equal(t, v, got)
	}
	_, err := ParseValue("softmax")
	assert.ErrorContains(t, err, `got "softmax"`)
	assert.ErrorContains(t, Value(9).check(3), "expected one of the constants of Value, got 9")
	assert.Panics(t, func() { Value(9).Of([]float64{1}, 0) })
	assert.Panics(t, func() { Value(9).Gradient([]float64{1}, 0, make([]float64, 1)) })
}

func TestTargetsResolve(t *testing.T) {
	l := []float64{1, 3, 3}
	class, err := Target{}.Resolve(l, -1)
	require.NoError(t, err)
	assert.Equal(t, 1, class, "the prediction, the first at a tie")
	class, err = TargetLabel().Resolve(l, 2)
	require.NoError(t, err)
	assert.Equal(t, 2, class)
	class, err = TargetClass(0).Resolve(l, 2)
	require.NoError(t, err)
	assert.Equal(t, 0, class)
	_, err = TargetLabel().Resolve(l, -1)
	assert.ErrorContains(t, err, "label: expected a class from 0 to 2, got -1")
	_, err = TargetClass(3).Resolve(l, 0)
	assert.ErrorContains(t, err, "class 3: expected a class from 0 to 2, got 3")
}
