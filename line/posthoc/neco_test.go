package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/mat"
)

type literalComponents struct {
	mean, deviation, values []float64
	vectors                 *mat.Dense
}

func componentsOf(q problem) literalComponents {
	c := literalComponents{mean: meanOf(q.fit, everyone), deviation: make([]float64, q.fit.FeatureDim)}
	var rows [][]float64
	for n := range q.fit.N {
		rows = append(rows, minus(row(q.fit.Features, n, q.fit.FeatureDim), c.mean))
	}
	for d := range c.deviation {
		var sum float64
		for _, x := range rows {
			sum += x[d] * x[d] / float64(len(rows))
		}
		if c.deviation[d] = math.Sqrt(sum); sum == 0 {
			c.deviation[d] = 1
		}
		for _, x := range rows {
			x[d] /= c.deviation[d]
		}
	}
	c.values, c.vectors = eigen(covarianceOf(rows))
	return c
}

func init() {
	tolerance["neco"] = 1e-8
	literals["neco"] = func(params map[string]float64, q problem, i int) float64 {
		c := once("neco", q, func() literalComponents { return componentsOf(q) })
		count := int(params["dim"])
		if count == 0 {
			count = max(1, min(100, q.fit.FeatureDim/2))
		}
		s := minus(row(q.test.Features, i, q.test.FeatureDim), c.mean)
		for d := range s {
			s[d] /= c.deviation[d]
		}
		var sum float64
		for e := principalCut(c.values, count); e < len(s); e++ {
			var along float64
			for d, v := range s {
				along += c.vectors.At(d, e) * v
			}
			sum += along * along
		}
		score := math.Sqrt(sum) / power(s, 2)
		if params["maxlogit"] == 1 {
			score *= slices.Max(row(q.test.Logits, i, q.test.Classes))
		}
		return score
	}
}

// With all components the projection changes nothing.
func TestNecoOfAllComponents(t *testing.T) {
	p := realistic(3, 20, 60, 9)
	for _, v := range fitAndScore(t, newMethod(t, "neco", optionsOf(map[string]float64{"dim": 20})), p) {
		assert.InDelta(t, 1, v, 1e-12)
	}
}
