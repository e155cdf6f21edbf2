package line_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line"
)

// sample holds the contributions of one image.
type sample struct {
	class  int
	values []float32
}

// drawSamples draws contributions to every class. Their magnitudes differ so much that plain sums would depend on the
// order.
func drawSamples(t *rapid.T, classes, features int) []sample {
	n := rapid.IntRange(classes, 40).Draw(t, "n")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	out := make([]sample, n)
	for i := range out {
		out[i] = sample{class: i % classes, values: make([]float32, features)}
		for j := range out[i].values {
			out[i].values[j] = float32(rng.NormFloat64() * math.Exp2(float64(rng.IntN(40)-20)))
		}
	}
	return out
}

func accumulate(t require.TestingT, classes, features int, samples []sample) *line.Contributions {
	c := line.NewContributions(classes, features)
	for _, s := range samples {
		require.NoError(t, c.Add(s.class, s.values))
	}
	return c
}

func mean(t require.TestingT, c *line.Contributions) []float32 {
	m, err := c.Mean()
	require.NoError(t, err)
	return m
}

// TestMeanIsExact compares with rational arithmetic whose result is rounded once.
func TestMeanIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, features := rapid.IntRange(1, 4).Draw(t, "classes"), rapid.IntRange(1, 5).Draw(t, "features")
		samples := drawSamples(t, classes, features)
		got := mean(t, accumulate(t, classes, features, samples))
		for k := range classes {
			for i := range features {
				sum, n := new(big.Rat), int64(0)
				for _, s := range samples {
					if s.class == k {
						sum.Add(sum, new(big.Rat).SetFloat64(float64(s.values[i])))
						n++
					}
				}
				want, _ := sum.Quo(sum, new(big.Rat).SetInt64(n)).Float32()
				require.Equal(t, want, got[k*features+i])
			}
		}
	})
}

func TestMeanDoesNotDependOnOrderOrParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, features := rapid.IntRange(1, 4).Draw(t, "classes"), rapid.IntRange(1, 5).Draw(t, "features")
		samples := drawSamples(t, classes, features)
		want := mean(t, accumulate(t, classes, features, samples))

		shuffled := rapid.Permutation(samples).Draw(t, "order")
		require.Equal(t, want, mean(t, accumulate(t, classes, features, shuffled)))

		merged := line.NewContributions(classes, features)
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "part")
			require.NoError(t, merged.Merge(accumulate(t, classes, features, shuffled[:n])))
			shuffled = shuffled[n:]
		}
		require.Equal(t, want, mean(t, merged))
		for k := range classes {
			n := 0
			for _, s := range samples {
				if s.class == k {
					n++
				}
			}
			require.Equal(t, n, merged.Count(k))
		}
	})
}

func TestContributionsRefuse(t *testing.T) {
	c := line.NewContributions(3, 2)
	require.Equal(t, []int{3, 2}, []int{c.Classes(), c.FeatureDim()})
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, bad := range []struct {
		class  int
		values []float32
		want   string
	}{
		{-1, []float32{1, 2}, "expected a label from 0 to 2, got -1"},
		{3, []float32{1, 2}, "expected a label from 0 to 2, got 3"},
		{0, []float32{1}, "expected a contribution of each of 2 neurons, got 1"},
		{0, nil, "expected a contribution of each of 2 neurons, got 0"},
		{0, []float32{1, nan}, "contribution of neuron 1 is NaN"},
		{0, []float32{inf, 1}, "contribution of neuron 0 is -Inf"},
	} {
		require.ErrorContains(t, c.Add(bad.class, bad.values), bad.want)
	}
	for k := range 3 {
		require.Zero(t, c.Count(k), "what is refused must leave no trace")
	}

	_, err := c.Mean()
	require.ErrorContains(t, err, "no images of class 0, 1, 2")
	require.NoError(t, c.Add(1, []float32{1, 2}))
	_, err = c.Mean()
	require.ErrorContains(t, err, "no images of class 0, 2: every class needs at least one")
	_, err = line.NewContributions(14, 1).Mean()
	require.ErrorContains(t, err, "class 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 4 more")

	for got, other := range map[string]*line.Contributions{
		"2 to 2": line.NewContributions(2, 2), "1 to 3": line.NewContributions(3, 1),
	} {
		require.EqualError(t, c.Merge(other),
			"line: merge: expected contributions of 2 neurons to 3 classes, got those of "+got)
	}
}

func TestMeanOfTheLargestNumbers(t *testing.T) {
	c := line.NewContributions(1, 1)
	for range 5 {
		require.NoError(t, c.Add(0, []float32{math.MaxFloat32}))
	}
	require.Equal(t, []float32{math.MaxFloat32}, mean(t, c))
	zeros := line.NewContributions(1, 3)
	require.NoError(t, zeros.Add(0, make([]float32, 3)))
	require.True(t, slices.Equal(make([]float32, 3), mean(t, zeros)))
}
