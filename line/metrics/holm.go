package metrics

import (
	"fmt"
	"slices"
)

// Holm returns p-values adjusted for testing all of them (Holm, A Simple Sequentially Rejective Multiple Test
// Procedure, Scandinavian Journal of Statistics 1979). Rejecting those whose adjusted value is at most α keeps the
// probability of any wrong rejection at most α, whatever the dependence between them. The result has the order and
// the length of p. A p-value outside [0, 1] or NaN is an error.
func Holm(p []float64) ([]float64, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("metrics: p-value %d: expected a number in [0, 1], got %v", i, v)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(p))
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = least
	}
	return adjusted, nil
}
