package sampling

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
)

func TestSubsetsAreUniform(t *testing.T) {
	// 10 subsets of size 2 or 3 of 5 players, 20,000 draws: each is expected 2,000 times, standard deviation 42.
	for _, size := range []int{2, 3} {
		counts := map[uint64]int{}
		rng := testRNG(uint64(size))
		c := attribution.NewCoalition(5)
		for range 20000 {
			Subset(rng, c, 5, size)
			require.Equal(t, size, c.Size())
			counts[c[0]]++
		}
		assert.Len(t, counts, 10)
		for s, n := range counts {
			assert.InDelta(t, 2000, n, 5*42, "subset %b", s)
		}
	}
}

func TestPermutationsAreUniform(t *testing.T) {
	counts := map[[4]int]int{}
	rng := testRNG(1)
	for range 24000 {
		var order [4]int
		Permute(rng, order[:])
		counts[order]++
	}
	assert.Len(t, counts, 24)
	for order, n := range counts {
		assert.InDelta(t, 1000, n, 5*31, "%v", order)
	}
}

func TestUnrankListsAllSubsetsOnce(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for k := 0; k <= n; k++ {
			seen := map[uint64]bool{}
			c := attribution.NewCoalition(n)
			for rank := range int(binomial(n, k)) {
				unrank(c, n, k, rank)
				require.Equal(t, k, c.Size())
				seen[c[0]] = true
			}
			assert.Len(t, seen, int(binomial(n, k)), "n=%d k=%d", n, k)
		}
	}
}

func TestDistinctSubsetsAreDistinctAndNeverComplements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{2, 3, 6, 10, 64, 70, 128}).Draw(t, "players")
		size := rapid.IntRange(1, n/2).Draw(t, "size")
		count := rapid.IntRange(0, int(min(ClassPairs(n, size), 60))).Draw(t, "count")
		rows := attribution.NewCoalitions(n, count)
		rankable := rapid.SampledFrom([]float64{0, MaxRank}).Draw(t, "rankable") // 0: always by rejection
		DistinctSubsets(testRNG(rapid.Uint64().Draw(t, "seed")), rows, size, rankable)
		seen := map[string]bool{}
		other := attribution.NewCoalition(n)
		for r := range count {
			c := rows.Row(r)
			other.Complement(c, n)
			if c.Size() != size || seen[fmtBits(c)] || seen[fmtBits(other)] {
				t.Fatalf("row %d: %x of size %d repeats", r, c, c.Size())
			}
			seen[fmtBits(c)] = true
		}
	})
}

func TestBinomial(t *testing.T) {
	assert.Equal(t, 0.0, binomial(3, 4))
	assert.Equal(t, 0.0, binomial(3, -1))
	assert.Equal(t, 1.0, binomial(0, 0))
	for n := 1; n <= 50; n++ {
		for k := 0; k <= n; k++ {
			// Pascal's rule, exact below 2^53.
			assert.Equal(t, binomial(n-1, k-1)+binomial(n-1, k), binomial(n, k), "C(%d, %d)", n, k)
		}
	}
	assert.InEpsilon(t, 1.0089134454556415e29, binomial(100, 50), 1e-12) // 100!/(50!)^2
}
