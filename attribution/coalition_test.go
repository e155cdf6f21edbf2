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
	mask[5] = 7 // a value of an earlier use, which Mask must overwrite
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

// A mask says of every player of every row what the coalition says.
func TestMaskOfAnyCoalition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, rows := rapid.IntRange(1, 200).Draw(t, "players"), rapid.IntRange(1, 3).Draw(t, "rows")
		s := NewCoalitions(n, rows)
		mask := make([]float32, rows*n)
		for i := range mask {
			mask[i] = -1 // a value of an earlier use, which Mask must overwrite
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
