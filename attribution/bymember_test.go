package attribution_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/attribution"
)

// TestByMember: each member comes once, in the order of first appearance, with all its rows in their order.
func TestByMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfN(rapid.IntRange(-2, 4), 0, 30).Draw(t, "members")
		var order, seen []int
		require.NoError(t, attribution.ByMember(members, func(member int, rows []int) error {
			order, seen = append(order, member), append(seen, rows...)
			require.True(t, slices.IsSorted(rows))
			for _, r := range rows {
				require.Equal(t, member, members[r])
			}
			return nil
		}))
		slices.Sort(seen)
		var all, first []int
		for r, m := range members {
			all = append(all, r)
			if !slices.Contains(first, m) {
				first = append(first, m)
			}
		}
		require.Equal(t, all, seen)
		require.Equal(t, first, order)
	})
	stop := errors.New("stop")
	calls := 0
	require.ErrorIs(t, attribution.ByMember([]int{1, 2}, func(int, []int) error { calls++; return stop }), stop)
	require.Equal(t, 1, calls)
}
