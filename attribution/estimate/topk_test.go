package estimate

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/racetest"
)

// Decided rankings are right with the confidence asked for, and most samples go to players near the border.
func TestTopKIsRightWhenDecided(t *testing.T) {
	const runs = 300
	right, decided := 0, 0
	for seed := range uint64(runs) {
		net := randomNetwork(4, 12, 500+seed)
		for i := range net.z {
			net.z[i] += 0.2
		}
		g := net.game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
		want := Largest(exactly(t, g), 3)
		got, err := TopK{K: 3}.Rank(background, g, attribution.Options{Samples: 50000, Seed: seed})
		require.NoError(t, err)
		require.Len(t, got.Kept, 3)
		if got.Stopped != attribution.StopDecided {
			assert.NotEmpty(t, got.Undecided)
			continue
		}
		assert.Empty(t, got.Undecided)
		decided++
		slices.Sort(want)
		slices.Sort(got.Kept)
		if slices.Equal(want, got.Kept) {
			right++
		}
	}
	assert.Greater(t, decided, runs*9/10)
	assert.Greater(t, float64(right)/float64(decided), 0.95)
}

// TestTopKConfidence plays games with close borders and strong noise, where deciding too early would show, and with
// many players, where deciding each player at the level asked for all of them would show. Bonferroni's inequality
// makes the confidence a lower bound, and repeated looks are not corrected for.
func TestTopKConfidence(t *testing.T) {
	racetest.OneGoroutine(t)
	for _, c := range []struct {
		players, runs int
		confidence    float64
	}{{8, 400, 0.95}, {12, 150, 0.8}} {
		wrong := 0
		for seed := range uint64(c.runs) {
			g := randomTable(c.players, 900+seed)
			got, err := TopK{K: c.players / 2, Confidence: c.confidence}.Rank(background, g,
				attribution.Options{Samples: 3000, Seed: seed, Workers: 1})
			require.NoError(t, err)
			want := Largest(exactly(t, g), c.players/2)
			slices.Sort(want)
			slices.Sort(got.Kept)
			if got.Stopped == attribution.StopDecided && !slices.Equal(want, got.Kept) {
				wrong++
			}
		}
		assert.LessOrEqual(t, float64(wrong), float64(c.runs)*(1-c.confidence), "%d players", c.players)
	}
}

func TestTopKSpendsSamplesAtTheBorder(t *testing.T) {
	// Values 8, 6, 4.5, 4, 2, 1 plus noise that depends on the coalition: the border of the top 3 is between the third
	// and the fourth.
	worth := []float64{8, 6, 4.5, 4, 2, 1}
	noise := randomValues(6, 77)
	g := games.Func(6, func(c attribution.Coalition) float64 {
		v := noise[c[0]]
		for _, i := range c.AppendMembers(nil) {
			v += worth[i]
		}
		return v
	})
	got, err := TopK{K: 3}.Rank(background, g, attribution.Options{Samples: 100000, Seed: 1})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopDecided, got.Stopped)
	assert.Equal(t, []int{0, 1}, got.Kept[:2])
	assert.Equal(t, Largest(exactly(t, g), 3), got.Kept)
	assert.Less(t, got.Draws[0], got.Draws[2])
	assert.Less(t, got.Draws[5], got.Draws[3])
	all := float64(got.Samples) * 2 * 7
	assert.Less(t, got.Equivalents, all/1.5, "undecided players alone are toggled")
	assert.Greater(t, got.Border, worth[3]-1)
	assert.Less(t, got.Border, worth[2]+1)
}

// Players 0 and 1 can be exchanged, so that no number of samples finds a border between them: the tolerance ends the
// search.
func TestTopKStopsAtTheTolerance(t *testing.T) {
	v := randomValues(6, 31)
	for s := range v {
		if s&3 == 2 {
			v[s] = v[s^3]
		}
	}
	g, err := games.NewTable(v)
	require.NoError(t, err)
	k := slices.Index(Largest(exactly(t, g), 6), 0)
	if other := slices.Index(Largest(exactly(t, g), 6), 1); other < k {
		k = other
	}
	search := TopK{K: k + 1}
	got, err := search.Rank(background, g, attribution.Options{Samples: 60000, Seed: 2})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopSamples, got.Stopped)
	assert.Equal(t, []int{0, 1}, got.Undecided)
	got, err = search.Rank(background, g, attribution.Options{Samples: 60000, Seed: 2, TargetStdErr: 0.02})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopDecided, got.Stopped)
	assert.Empty(t, got.Undecided)
	assert.LessOrEqual(t, max(got.StdErr[0], got.StdErr[1]), 0.02)
}

// Players that tie at the border are decided by the tolerance, or by exactness.
func TestTopKWithTies(t *testing.T) {
	noise := randomValues(3, 5)
	tied := games.Func(5, func(c attribution.Coalition) float64 {
		v := noise[c[0]&7]
		for _, i := range []int{3, 4} { // two players that interact with the first and can be exchanged with each other
			if c.Has(i) && c.Has(0) {
				v++
			}
		}
		return v
	})
	got, err := TopK{K: 2}.Rank(background, tied, attribution.Options{TargetStdErr: 0.02, Samples: 20000})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopDecided, got.Stopped)
	for _, i := range got.Undecided {
		t.Errorf("player %d is undecided", i)
	}
	dummies := games.Func(5, func(c attribution.Coalition) float64 { return 0 })
	got, err = TopK{K: 2}.Rank(background, dummies, attribution.Options{Samples: 1000})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopDecided, got.Stopped)
	assert.Equal(t, []int{0, 1}, got.Kept, "ties go to the lower index")
	assert.Equal(t, pilotPairs, got.Samples)
	everyone, err := TopK{K: 5}.Rank(background, randomTable(5, 1), attribution.Options{Samples: 1000})
	require.NoError(t, err)
	assert.Equal(t, attribution.StopDecided, everyone.Stopped)
	assert.Len(t, everyone.Kept, 5)
}
