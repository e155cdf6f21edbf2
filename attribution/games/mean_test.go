package games

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

func resampled(t *testing.T) *Mean {
	net := randomNetwork(3, 7, 1)
	rows := [][]float64{make([]float64, 7), randomNetwork(1, 7, 3).z, randomNetwork(1, 7, 4).z}
	return net.game(t, PenultimateOptions{Value: attribution.LogSumExp,
		Removal: attribution.RemoveByResampling(rows)}).(*Mean)
}

func TestMeanWalkerAveragesMembers(t *testing.T) {
	m := resampled(t)
	checkWalker(t, m, []int{3, 1, 0, 6, 5, 2, 4}, 3)
	nested, err := NewMean(m, m)
	require.NoError(t, err)
	checkWalker(t, nested, []int{3, 1, 0, 6, 5, 2, 4}, 4)
	mixed, err := NewMean(m.Member(0), plain{m.Member(1)})
	require.NoError(t, err)
	assert.Nil(t, mixed.NewWalker(), "a member without an incremental form")
	est, err := estimate.Owen{}.Estimate(background, mixed, attribution.Options{Samples: 2000})
	require.NoError(t, err)
	for i, want := range exactly(t, mixed) {
		assert.InDelta(t, want, est.Values[i], 5*est.StdErr[i]+1e-12)
	}
}

func TestMemberValuesAreThoseOfTheMember(t *testing.T) {
	m := resampled(t)
	s := attribution.NewCoalitions(7, 5)
	members := []int{2, 0, 2, 1, 0}
	for r := range 5 {
		s.Row(r)[0] = uint64(17 * (r + 1) % 128)
	}
	got := make([]float64, 5)
	require.NoError(t, m.MemberValues(background, members, s, got))
	for r, member := range members {
		want := make([]float64, 1)
		require.NoError(t, m.Member(member).Values(background, s.Slice(r, r+1), want))
		assert.Equal(t, want[0], got[r])
	}
}
