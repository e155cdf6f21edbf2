package sampling

import (
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
)

// binomial is C(n, k), exact below 2^53 and rounded above, +Inf past the range of float64.
func binomial(n, k int) float64 {
	if k < 0 || k > n {
		return 0
	}
	k = min(k, n-k)
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
		if c < 1<<53 {
			c = math.Round(c)
		}
	}
	return c
}

// MaxRank bounds the ranks of subsets, so that they are exact both as an int and as a float64.
const MaxRank = 1 << 40

// DistinctSubsets fills the rows with different, uniformly drawn coalitions of the given size, at most half of the
// players. Where the size is half of the players, all coalitions hold player 0, so that no two are complements. With
// at most rankable subsets they are drawn by rank, with more by rejection.
func DistinctSubsets(rng *rand.PCG, rows attribution.Coalitions, size int, rankable float64) {
	n := rows.Players()
	from, pool, choose := 0, n, size
	if 2*size == n {
		from, pool, choose = 1, n-1, size-1
	}
	count := binomial(pool, choose)
	set := func(c attribution.Coalition) {
		if from == 1 {
			shiftUp(c)
			c.Add(0)
		}
	}
	if count <= rankable {
		for i, rank := range distinctRanks(rng, int(count), rows.Len()) {
			unrank(rows.Row(i), pool, choose, rank)
			set(rows.Row(i))
		}
		return
	}
	// There are many more subsets than rows, so that drawing one twice is rare.
	seen := make(map[string]bool, rows.Len())
	key := make([]byte, 0, 8*len(attribution.NewCoalition(n)))
	for i := 0; i < rows.Len(); {
		c := rows.Row(i)
		Subset(rng, c, pool, choose)
		set(c)
		key = key[:0]
		for _, w := range c {
			for shift := 0; shift < 64; shift += 8 {
				key = append(key, byte(w>>shift))
			}
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			i++
		}
	}
}

// shiftUp renames player i to i+1.
func shiftUp(c attribution.Coalition) {
	carry := uint64(0)
	for w := range c {
		c[w], carry = c[w]<<1|carry, c[w]>>63
	}
}

// distinctRanks draws count different numbers below n, uniformly (Floyd's algorithm; all of them when count is n).
func distinctRanks(rng *rand.PCG, n, count int) []int {
	ranks := make([]int, 0, count)
	if count == n {
		for i := range n {
			ranks = append(ranks, i)
		}
		return ranks
	}
	seen := make(map[int]bool, count)
	for j := n - count; j < n; j++ {
		t := Below(rng, j+1)
		if seen[t] {
			t = j
		}
		seen[t] = true
		ranks = append(ranks, t)
	}
	return ranks
}

// unrank makes c the subset of {0..n-1} with k members that has the given rank in the combinatorial number system:
// rank = Σ C(c_i, i) over the members c_1 < ... < c_k.
func unrank(c attribution.Coalition, n, k, rank int) {
	c.Clear()
	top := n
	for i := k; i >= 1; i-- {
		// The largest member below top whose C(member, i) is at most the rank.
		lo, hi := i-1, top-1
		for lo < hi {
			mid := (lo + hi + 1) / 2
			if binomial(mid, i) <= float64(rank) {
				lo = mid
			} else {
				hi = mid - 1
			}
		}
		c.Add(lo)
		rank -= int(binomial(lo, i))
		top = lo
	}
}

// ClassPairs is the number of pairs of a coalition of n players and its complement in which the smaller coalition has
// the given size.
func ClassPairs(n, size int) float64 {
	if 2*size == n {
		return binomial(n-1, size-1)
	}
	return binomial(n, size)
}
