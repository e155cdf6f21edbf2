package metrics

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFPR95TieAware checks cases computed by hand: with one score for everything the rate is near chance, and ties
// that no OOD sample shares or that do not straddle the threshold do not change it.
func TestFPR95TieAware(t *testing.T) {
	same := slices.Repeat([]float64{1}, 100)
	published, err := FPR95(same, same)
	require.NoError(t, err)
	require.Zero(t, published)
	rate, tied, err := FPR95TieAware(same, same)
	require.NoError(t, err)
	require.True(t, tied)
	require.InDelta(t, 0.94, rate, 1e-15) // the ranks 6 to 99 of 0 to 99 are accepted

	for _, c := range []struct {
		id, ood []float64
		rate    float64
		tied    bool
	}{
		{[]float64{1, 2, 3}, []float64{0, 1, 2}, 1.0 / 3, false}, // the threshold is 1, a score of only one ID sample
		// ID samples tie at the threshold, but no OOD sample has that score
		{[]float64{1, 1, 3}, []float64{0, 2, 4}, 2.0 / 3, false},
		// one of two tied ID samples is accepted, and so are the OOD samples 4 and half of the two 1s
		{[]float64{1, 1, 3, 4}, []float64{0, 1, 1, 4}, 0.5, true},
		{[]float64{7}, []float64{7, 7}, 0, false}, // nothing is accepted
	} {
		rate, tied, err := FPR95TieAware(c.id, c.ood)
		require.NoError(t, err)
		require.InDelta(t, c.rate, rate, 1e-15, "%v", c)
		require.Equal(t, c.tied, tied, "%v", c)
	}
	_, _, err = FPR95TieAware(nil, same)
	require.Error(t, err)
}

// TestTieAwareIsTheMeanOverOrders: noise far smaller than the distances between scores breaks ties at random. The
// mean of FPR95 over many draws is the tie-aware rate. Without ties both are equal.
func TestTieAwareIsTheMeanOverOrders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	id, ood := make([]float64, 60), make([]float64, 50)
	for i := range id {
		id[i] = float64(rng.IntN(4))
	}
	for i := range ood {
		ood[i] = float64(rng.IntN(3))
	}
	want, tied, err := FPR95TieAware(id, ood)
	require.NoError(t, err)
	require.True(t, tied)
	sum := 0.0
	const draws = 4000
	noisy := func(v []float64) []float64 {
		out := slices.Clone(v)
		for i := range out {
			out[i] += 1e-6 * rng.Float64()
		}
		return out
	}
	for range draws {
		rate, err := FPR95(noisy(id), noisy(ood))
		require.NoError(t, err)
		sum += rate
	}
	require.InDelta(t, sum/draws, want, 0.012)

	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfNDistinct(rapid.Float64Range(-9, 9), 2, 40, rapid.ID).Draw(t, "scores")
		cut := rapid.IntRange(1, len(scores)-1).Draw(t, "cut")
		published, err := FPR95(scores[:cut], scores[cut:])
		if err != nil {
			t.Fatal(err)
		}
		rate, tied, err := FPR95TieAware(scores[:cut], scores[cut:])
		if err != nil || tied || rate != published {
			t.Fatalf("%v, %v, %v; published %v", rate, tied, err, published)
		}
	})
}
