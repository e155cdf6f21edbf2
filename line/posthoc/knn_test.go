package posthoc_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// unit returns v divided by its length, or by 1e-12 where the length is smaller.
func unit(v []float64) []float64 {
	out, size := make([]float64, len(v)), power(v, 2)
	for d := range v {
		out[d] = v[d] / size
	}
	return out
}

func init() {
	literals["knn"] = func(params map[string]float64, q problem, i int) float64 {
		var all []float64
		for n := range q.fit.N {
			apart := minus(unit(row(q.test.Features, i, q.test.FeatureDim)),
				unit(row(q.fit.Features, n, q.fit.FeatureDim)))
			all = append(all, inner(apart, apart))
		}
		slices.Sort(all)
		return -all[min(len(all), int(params["k"]))-1]
	}
	literals["nnguide"] = func(params map[string]float64, q problem, i int) float64 {
		var all []float64
		for n := range q.fit.N {
			energy := stableLSE(row(q.fit.Logits, n, q.fit.Classes))
			all = append(all, energy*inner(unit(row(q.test.Features, i, q.test.FeatureDim)),
				unit(row(q.fit.Features, n, q.fit.FeatureDim))))
		}
		slices.Sort(all)
		top := all[max(0, len(all)-int(params["k"])):]
		var sum float64
		for _, v := range top {
			sum += v
		}
		return sum / float64(len(top)) * stableLSE(row(q.test.Logits, i, q.test.Classes))
	}
}

// Rows whose distances are equal in float32 are ordered by their distances in float64.
func TestBankOfNearRows(t *testing.T) {
	p := realistic(3, 40, 300, 5)
	for i := range p.fit.N {
		for d := range 40 {
			v := p.fit.Features[d] // every row is the first row with changes of one or two units in the last place
			for range (i * (d + 3)) % 3 {
				v = math.Nextafter32(v, 9)
			}
			p.fit.Features[i*40+d] = v
		}
	}
	for name, params := range map[string]map[string]float64{"knn": {"k": 50}, "nnguide": {"k": 10}} {
		got := fitAndScore(t, newMethod(t, name, optionsOf(params)), p)
		for i, v := range got {
			want := literals[name](params, p, i)
			assert.InEpsilon(t, want, v, 1e-13, "%s, sample %d", name, i)
		}
	}
}
