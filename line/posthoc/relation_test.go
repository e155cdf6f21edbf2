package posthoc_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func init() {
	softmax := func(l []float64) []float64 {
		whole := stableLSE(l)
		for k := range l {
			l[k] = math.Exp(l[k] - whole)
		}
		return l
	}
	literals["relation"] = func(params map[string]float64, q problem, i int) float64 {
		var sum float64
		p, u := softmax(row(q.test.Logits, i, q.test.Classes)), unit(row(q.test.Features, i, q.test.FeatureDim))
		for n := range q.fit.N {
			similarity := math.Max(inner(u, unit(row(q.fit.Features, n, q.fit.FeatureDim))), 0) *
				inner(p, softmax(row(q.fit.Logits, n, q.fit.Classes)))
			if similarity > params["threshold"] {
				sum += math.Pow(similarity, params["pow"])
			}
		}
		return sum
	}
}

// At a threshold that float32 cannot distinguish from a similarity, float64 decides.
func TestRelationThreshold(t *testing.T) {
	p := realistic(3, 20, 40, 6)
	params := map[string]float64{"pow": 1, "threshold": 0}
	p.fit.N, p.fit.Features, p.fit.Logits, p.fit.Labels = 1, p.fit.Features[:20], p.fit.Logits[:3], nil
	p.fit.Extra = nil
	for i := range p.test.N {
		params["threshold"] = 0
		similarity := literals["relation"](params, p, i)
		for _, part := range []float64{1 - 1e-12, 1 + 1e-12} {
			params["threshold"] = similarity * part
			got := fitAndScore(t, newMethod(t, "relation", optionsOf(params)), p)
			assert.InDelta(t, literals["relation"](params, p, i), got[i], 1e-9, "sample %d, threshold times %v", i,
				part)
		}
	}
}
