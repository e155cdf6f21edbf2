package estimate

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNumbersOfOthersWeighTheSame sums, over all first coalitions of a sample, the weights with which one player's
// toggles count: in the Shapley value it joins 0, 1, ..., n-1 others with the same weight.
func TestNumbersOfOthersWeighTheSame(t *testing.T) {
	for n := 2; n <= 11; n++ {
		weights := make([]float64, n)
		count := func(others int, probability float64) { // in the coalition and in its complement
			half := probability * othersWeight(n, others) / 2
			weights[others] += half
			weights[n-1-others] += half
		}
		of := make([]float64, n) // coalitions of a size
		for s := range 1 << n {
			if size := bits.OnesCount(uint(s)); size < n {
				of[size]++
			}
		}
		for s := 1; s < 1<<n-1; s++ {
			size := bits.OnesCount(uint(s))
			probability := 1 / float64(n-1) / of[size]
			if size == 1 || size == n-1 {
				count(0, probability*endShare(n))
				probability *= 1 - endShare(n)
			}
			count(bits.OnesCount(uint(s)&^1), probability)
		}
		for others, w := range weights {
			require.InDelta(t, 1/float64(n), w, 1e-12, "%d players, %d others", n, others)
		}
		require.LessOrEqual(t, othersWeight(n, 0), 2., "%d players", n)
	}
}
