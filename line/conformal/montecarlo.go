package conformal

import (
	"math"
	"math/rand/v2"
	"slices"
)

// draws is the number B of simulated calibrations behind [MonteCarlo].
const draws = 10_000

// simulatedConstant returns a c for which n ordered uniform numbers satisfy U_(i) ≤ i/n + c √(i(n-i))/(n√n) for all i
// < n with probability at least 1-δ, over both the numbers and the simulation. Each simulated calibration has a
// smallest c that it needs. The real calibration is one more such draw, and needs more than the ⌈(B+1)(1-δ)⌉-th
// smallest of B with probability at most δ. The result is +Inf where δ is below 1/(B+1).
func simulatedConstant(n int, delta float64) float64 {
	k := searchRank(draws, 1-delta, func(count int) float64 { return float64(count+1) / (draws + 1) })
	if float64(k)/(draws+1) < 1-delta {
		k++
	}
	if k > draws {
		return math.Inf(1)
	}
	need := neededConstants(n, draws, rand.New(rand.NewPCG(0x5eed, uint64(n))))
	slices.Sort(need)
	return need[k-1]
}

// neededConstants simulates count calibrations and returns the smallest c that each needs. Partial sums of
// exponential numbers divided by their total are ordered uniform numbers, which need no sorting.
func neededConstants(n, count int, rng *rand.Rand) []float64 {
	size := float64(n)
	base, scale := make([]float64, n), make([]float64, n)
	for i := range n - 1 {
		base[i] = float64(i+1) / size
		scale[i] = 1 / spread(float64(i+1), size)
	}
	out := make([]float64, count)
	sums := make([]float64, n)
	for d := range out {
		total := 0.0
		for i := range sums {
			total += rng.ExpFloat64()
			sums[i] = total
		}
		inverse := 1 / (total + rng.ExpFloat64())
		need := math.Inf(-1)
		for i, s := range sums[:n-1] {
			need = max(need, (float64(s*inverse)-base[i])*scale[i])
		}
		out[d] = need
	}
	return out
}
