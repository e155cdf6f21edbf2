package attribution

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A coalition behaves as a set of integers, across word borders.
func TestCoalitionIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 5, 63, 64, 65, 128, 130}).Draw(t, "players")
		c, set := NewCoalition(n), map[int]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "operations") {
			i := rapid.IntRange(0, n-1).Draw(t, "player")
			switch rapid.IntRange(0, 2).Draw(t, "operation") {
			case 0:
				c.Add(i)
				set[i] = true
			case 1:
				c.Remove(i)
				delete(set, i)
			case 2:
				c.Toggle(i)
				if set[i] {
					delete(set, i)
				} else {
					set[i] = true
				}
			}
		}
		other := NewCoalition(n)
		other.Complement(c, n)
		var want []int
		for i := range n {
			if c.Has(i) != set[i] || other.Has(i) == set[i] {
				t.Fatalf("player %d", i)
			}
			if set[i] {
				want = append(want, i)
			}
		}
		if c.Size() != len(set) || other.Size() != n-len(set) {
			t.Fatalf("sizes %d and %d, want %d and %d", c.Size(), other.Size(), len(set), n-len(set))
		}
		if got := c.AppendMembers(nil); !slices.Equal(got, want) {
			t.Fatalf("members %v, want %v", got, want)
		}
		c.Fill(n)
		if c.Size() != n {
			t.Fatalf("the grand coalition has %d of %d players", c.Size(), n)
		}
	})
}

func TestCoalitionsMaskAndSlice(t *testing.T) {
	s := NewCoalitions(66, 3)
	s.Row(1).Add(0)
	s.Row(1).Add(65)
	s.Row(2).Fill(66)
	part := s.Slice(1, 3)
	require.Equal(t, 2, part.Len())
	mask := make([]float32, 2*66)
	mask[5] = 7 // stale
	part.Mask(mask)
	for i, v := range mask[:66] {
		want := float32(0)
		if i == 0 || i == 65 {
			want = 1
		}
		assert.Equal(t, want, v, "player %d", i)
	}
	for _, v := range mask[66:] {
		assert.Equal(t, float32(1), v)
	}
	assert.Panics(t, func() { part.Mask(mask[:65]) })
	assert.Panics(t, func() { NewCoalitions(3, -1) })
}

func TestSubsetsAreUniform(t *testing.T) {
	// 10 subsets of size 2 or 3 of 5 players, 20,000 draws: each is expected 2,000 times, standard deviation 42.
	for _, size := range []int{2, 3} {
		counts := map[uint64]int{}
		rng := testRNG(uint64(size))
		c := NewCoalition(5)
		for range 20000 {
			subset(rng, c, 5, size)
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
		permute(rng, order[:])
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
			c := NewCoalition(n)
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
		count := rapid.IntRange(0, int(min(classPairs(n, size), 60))).Draw(t, "count")
		rows := NewCoalitions(n, count)
		rankable := rapid.SampledFrom([]float64{0, maxRank}).Draw(t, "rankable") // 0: always by rejection
		distinctSubsets(testRNG(rapid.Uint64().Draw(t, "seed")), rows, size, rankable)
		seen := map[string]bool{}
		other := NewCoalition(n)
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

// A mask says of every player of every row what the coalition says.
func TestMaskOfAnyCoalition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, rows := rapid.IntRange(1, 200).Draw(t, "players"), rapid.IntRange(1, 3).Draw(t, "rows")
		s := NewCoalitions(n, rows)
		mask := make([]float32, rows*n)
		for i := range mask {
			mask[i] = -1 // whatever was there before
			if rapid.Bool().Draw(t, "present") {
				s.Row(i / n).Add(i % n)
			}
		}
		s.Mask(mask)
		for i, v := range mask {
			require.Equal(t, s.Row(i/n).Has(i%n), v == 1)
			require.True(t, v == 0 || v == 1)
		}
	})
}
