package posthoc_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

func init() {
	literals["gram"] = func(p map[string]float64, q problem, i int) float64 {
		name := fmt.Sprintf("map.gram(powers=%v)", p["powers"])
		class := q.test.Predictions()[i]
		var of []int // the fitted samples predicted as the class, all where there are none
		for n, c := range q.fit.Predictions() {
			if c == class {
				of = append(of, n)
			}
		}
		if len(of) == 0 {
			for n := range q.fit.N {
				of = append(of, n)
			}
		}
		deviation, fitted := 0.0, q.fit.Extra[name]
		for j, v := range extraRow(q.test, name, i) {
			least, largest := math.Inf(1), math.Inf(-1)
			for _, n := range of {
				u := float64(fitted.Values[n*fitted.Width+j])
				least, largest = math.Min(least, u), math.Max(largest, u)
			}
			deviation += math.Max(0, least-v)/(math.Abs(least)+1e-6) + math.Max(0, v-largest)/(math.Abs(largest)+1e-6)
		}
		return -deviation
	}
}

// The fitted samples have no deviation, and the row sums must have the powers that the detector was made for.
func TestGramLimits(t *testing.T) {
	p := realistic(3, 8, 20, 5)
	m := newMethod(t, "gram", posthoc.Options{Params: map[string]float64{"powers": 5}})
	same := p
	same.test = p.fit
	for i, v := range fitAndScore(t, m, same) {
		assert.Zero(t, v, "sample %d", i)
	}
	name := "map.gram(powers=5)"
	require.Equal(t, []string{name}, m.(posthoc.Needing).Needs())
	short := p.fit
	short.Extra = map[string]posthoc.Extra{name: {Width: 8, Values: p.fit.Features}}
	assert.EqualError(t, m.Fit(t.Context(), p.head, short),
		"posthoc: gram: expected map.gram(powers=5) of a sample of 40 values, got 8")
}
