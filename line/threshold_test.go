package line

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numpyPercentile sorts and interpolates, as numpy's default does.
func numpyPercentile(values []float32, p float64) float64 {
	s := slices.Sorted(slices.Values(values))
	at := float64(len(s)-1) * (p / 100)
	lo := int(at)
	hi := min(lo+1, len(s)-1)
	t := at - float64(lo)
	a, b := float64(s[lo]), float64(s[hi])
	if t >= 0.5 {
		return b - (b-a)*(1-t)
	}
	return a + (b-a)*t
}

// drawTable draws values [classes, features], which take few levels, so that there are ties.
func drawTable(t *rapid.T, name string, classes, features int) []float32 {
	levels := rapid.SampledFrom([]int{1, 3, 1 << 20}).Draw(t, name+" levels")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, name), 1))
	out := make([]float32, classes*features)
	for i := range out {
		out[i] = float32(rng.IntN(2*levels+1)-levels) / float32(levels)
	}
	return out
}

func drawPercentile(t *rapid.T) float64 {
	return rapid.OneOf(rapid.SampledFrom([]float64{0, 10, 50, 90, 100}), rapid.Float64Range(0, 100)).Draw(t,
		"percentile")
}

// TestThresholdsKeepWhatSortingKeeps checks the result of every comparison with a threshold.
func TestThresholdsKeepWhatSortingKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, d := rapid.IntRange(1, 5).Draw(t, "classes"), rapid.IntRange(1, 30).Draw(t, "features")
		mean, weight := drawTable(t, "mean", classes, d), drawTable(t, "weight", classes, d)
		p := drawPercentile(t)
		activation, err := activationThresholds(mean, classes, p)
		require.NoError(t, err)
		pruning, err := weightThresholds(context.Background(), mean, weight, classes, p)
		require.NoError(t, err)
		for c := range classes {
			row := mean[c*d:][:d]
			want := numpyPercentile(row, p)
			for _, v := range row {
				require.Equal(t, float64(v) > want, v > activation[c])
			}
			m := make([]float32, len(weight))
			for j, w := range weight {
				m[j] = float32(math.Abs(float64(row[j%d]))) * w
			}
			want = numpyPercentile(m, p)
			for _, v := range m {
				require.Equal(t, float64(v) > want, v > pruning[c])
			}
		}
	})
}

func TestThresholdsRefuse(t *testing.T) {
	nan := float32(math.NaN())
	_, err := activationThresholds([]float32{1, 2, 3, nan}, 2, 50)
	require.ErrorContains(t, err, "activation threshold of class 1")
	_, err = weightThresholds(context.Background(), []float32{1, 2, 3, nan}, []float32{1, 1, 1, 1}, 2, 50)
	require.ErrorContains(t, err, "weight threshold of class 1")
	_, err = activationThresholds([]float32{1}, 1, 101)
	require.ErrorContains(t, err, "101")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = weightThresholds(ctx, []float32{1}, []float32{1}, 1, 50)
	require.ErrorIs(t, err, context.Canceled)
}

func TestBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := rapid.Float64Range(-1e30, 1e30).Draw(t, "t")
		f := below(threshold)
		require.LessOrEqual(t, float64(f), threshold)
		require.Greater(t, float64(math.Nextafter32(f, float32(math.Inf(1)))), threshold)
	})
}

// TestRoundsTo checks the two numbers on either side of the boundary.
func TestRoundsTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
			0, 1, -1, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, -math.MaxFloat32,
		})).Draw(t, "t")
		if v == math.MaxFloat32 { // no finite number lies above
			v = 0
		}
		last := roundsTo(v)
		require.Equal(t, v, float32(last))
		require.Greater(t, float32(math.Nextafter(last, math.Inf(1))), v)
	})
	require.Equal(t, float64(math.MaxFloat32), roundsTo(math.MaxFloat32))
}
