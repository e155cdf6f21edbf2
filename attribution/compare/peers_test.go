package compare

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/line-ood/goline/attribution/estimate"
)

// Kendall's tau compares values. Comparing their argsort indices, as some implementations do, gives another number.
func TestKendallTauIsOverValues(t *testing.T) {
	x, y := []float64{10, 30, 20, 40}, []float64{1, 2, 3, 4}
	assert.InDelta(t, 2.0/3, KendallTauB(x, y), 1e-15) // one of six pairs is discordant: (5-1)/6
	a, b := []float64{3, 1, 2}, []float64{30, 10, 20}
	assert.Equal(t, 1.0, KendallTauB(a, b), "the same order")
	u, v := []float64{0.1, 0.9, 0.5, 0.7}, []float64{0.8, 0.2, 0.9, 0.4}
	assert.NotEqual(t, naiveKendall(argsort(u), argsort(v)), KendallTauB(u, v), "this pair tells the two apart")
	assert.InDelta(t, naiveKendall(u, v), KendallTauB(u, v), 1e-15)
}

func argsort(x []float64) []float64 {
	out := make([]float64, len(x))
	largest := estimate.Largest(x, len(x))
	for i, p := range largest {
		out[len(x)-1-i] = float64(p)
	}
	return out
}

// "@k" means the k largest, signed, not the k smallest and not the k largest in magnitude.
func TestPrecisionAtKTakesTheLargest(t *testing.T) {
	truth := []float64{-9, 1, 2, 3, -8}
	assert.Equal(t, []int{3, 2}, estimate.Largest(truth, 2))
	assert.Equal(t, 1.0, PrecisionAtK(truth, []float64{0, 0, 5, 6, -20}, 2), "the largest agree")
	assert.Equal(t, 0.0, PrecisionAtK(truth, []float64{-9, 9, 0, 0, 9}, 2), "the smallest agree, the largest do not")
}
