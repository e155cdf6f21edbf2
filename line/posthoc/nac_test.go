package posthoc_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/line-ood/goline/line/posthoc"
)

// nacStates returns sigmoid(alpha z dKL/dz) of one sample, with the gradient of -1/K sum log p computed by the chain
// rule over all logits.
func nacStates(alpha float64, head posthoc.Head, z, l []float64) []float64 {
	out, whole := make([]float64, len(z)), stableLSE(l)
	for k, v := range l { // d(-1/K sum_j log p_j)/dl_k = -1/K sum_j ([j = k] - p_k) = -1/K + p_k
		slope := -1/float64(len(l)) + math.Exp(v-whole)
		for d := range z {
			out[d] += slope * float64(head.Weight[k*head.FeatureDim+d])
		}
	}
	largest := 0.0
	for _, w := range head.Weight {
		largest = math.Max(largest, math.Abs(float64(w)))
	}
	for d, g := range out {
		if math.Abs(g) < 0x1p-48*largest {
			g = 0
		}
		out[d] = 1 / (1 + math.Exp(-alpha*z[d]*g))
	}
	return out
}

func init() {
	literals["nac"] = func(params map[string]float64, q problem, i int) float64 {
		// Both halves of the limits, as the authors write them for an even number.
		m := int(params["m"])
		var limits []float64
		for j := range m/2 - 1 {
			limits = append(limits, math.Log(1+(math.Sqrt(1000)-1)*float64(j)/float64(m/2-1))/math.Log(1000))
		}
		limits = append(limits, 0.5)
		for j := m/2 - 2; j >= 0; j-- {
			limits = append(limits, 1-limits[j])
		}
		limits[len(limits)-1] += 0.01
		limits = append(limits, 1.2)

		states := nacStates(params["alpha"], q.head, row(q.test.Features, i, q.test.FeatureDim),
			row(q.test.Logits, i, q.test.Classes))
		var sum float64
		others := make([][]float64, q.fit.N)
		for n := range others {
			others[n] = nacStates(params["alpha"], q.head, row(q.fit.Features, n, q.fit.FeatureDim),
				row(q.fit.Logits, n, q.fit.Classes))
		}
		for d, v := range states {
			for b := range len(limits) - 1 {
				if v < limits[b] || v >= limits[b+1] {
					continue
				}
				count := 0.0
				for n := range others {
					if w := others[n][d]; w >= limits[b] && w < limits[b+1] {
						count++
					}
				}
				sum += math.Min(count*1000/float64(q.fit.N)/params["o"], 1)
			}
		}
		return sum / float64(len(states))
	}
}

// Fitted samples lie in bins that are covered.
func TestNacSaturates(t *testing.T) {
	p := realistic(4, 30, 1000, 50)
	params := map[string]float64{"o": 1e-3, "alpha": 1e9, "m": 4}
	m := newMethod(t, "nac", posthoc.Options{Params: params})
	p.test = p.fit
	for i, v := range fitAndScore(t, m, p) {
		assert.Equal(t, 1.0, v, "a bin with one fitted sample is covered, and sample %d was fitted", i)
	}
}
