package quantile

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSelect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{0, 1, 3, 1000}).Draw(t, "limit")
		values := rapid.SliceOfN(rapid.IntRange(-limit, limit), 1, 400).Draw(t, "values")
		k := rapid.IntRange(0, len(values)-1).Draw(t, "k")
		want := slices.Sorted(slices.Values(values))
		got := Select(values, k)
		require.Equal(t, want[k], got)
		require.Equal(t, want[k], values[k])
		for _, v := range values[:k] {
			require.LessOrEqual(t, v, got)
		}
		for _, v := range values[k:] {
			require.GreaterOrEqual(t, v, got)
		}
		slices.Sort(values)
		require.Equal(t, want, values, "Select may only reorder")
	})
}

// TestSelectStaysFast has inputs on which naive pivots lead to quadratic time: minutes for a quarter of a million
// elements.
func TestSelectStaysFast(t *testing.T) {
	const n = 1 << 18
	for name, draw := range map[string]func(i int) int{
		"sorted":     func(i int) int { return i },
		"reversed":   func(i int) int { return -i },
		"constant":   func(int) int { return 7 },
		"organ pipe": func(i int) int { return min(i, n-i) },
		"sawtooth":   func(i int) int { return i % 1000 },
		"two values": func(i int) int { return i & 1 },
	} {
		t.Run(name, func(t *testing.T) {
			values := make([]int, n)
			for i := range values {
				values[i] = draw(i)
			}
			want := slices.Sorted(slices.Values(values))
			for _, k := range []int{0, n / 10, n / 2, n - 1} {
				assert.Equal(t, want[k], Select(values, k), "k = %d", k)
			}
		})
	}
}

func TestSelectPanicsOutOfRange(t *testing.T) {
	assert.Panics(t, func() { Select([]int{1, 2}, 2) })
	assert.Panics(t, func() { Select([]int{1, 2}, -1) })
}

// TestCountedPair: counting digits and partitioning a copy give the same pair of order statistics.
func TestCountedPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkCountedPair[float64](t, rapid.Float64()) })
	rapid.Check(t, func(t *rapid.T) { checkCountedPair[float32](t, rapid.Float32()) })
}

func checkCountedPair[T Float](t *rapid.T, element *rapid.Generator[T]) {
	some := rapid.SampledFrom([]T{0, T(math.Copysign(0, -1)), 1, -1, T(math.Inf(1)), T(math.Inf(-1))})
	values := rapid.SliceOfN(rapid.OneOf(element, some), 2, 50).Draw(t, "values")
	values = slices.DeleteFunc(values, func(v T) bool { return v != v })
	if len(values) == 0 {
		return
	}
	k := rapid.IntRange(0, len(values)-1).Draw(t, "k")
	fraction := 0.0
	if k < len(values)-1 {
		fraction = rapid.SampledFrom([]float64{0, 0.25}).Draw(t, "fraction")
	}
	got := countedPair(values, k, fraction)
	want := pair(slices.Clone(values), k, fraction)
	if got != want { // compared by ==, because both zeros are one value
		t.Fatalf("counted %v, selected %v", got, want)
	}
}

func TestOrderedBits(t *testing.T) {
	ascending := []float64{
		math.Inf(-1), -math.MaxFloat32, -1, -math.SmallestNonzeroFloat32, 0,
		math.SmallestNonzeroFloat32, 1, math.MaxFloat32, math.Inf(1),
	}
	for i, v := range ascending {
		assert.Equal(t, v, fromOrderedBits[float64](orderedBits(v)))
		assert.Equal(t, v, fromOrderedBits[float32](orderedBits(float32(v))))
		if i > 0 {
			assert.Less(t, orderedBits(ascending[i-1]), orderedBits(v))
			assert.Less(t, orderedBits(float32(ascending[i-1])), orderedBits(float32(v)))
		}
	}
	negative := math.Copysign(0, -1)
	assert.Equal(t, orderedBits(0.0), orderedBits(negative))
	assert.Equal(t, orderedBits(float32(0)), orderedBits(float32(negative)))
}

func BenchmarkSelect(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float32, 2048)
	for i := range values {
		values[i] = rng.Float32()
	}
	scratch := make([]float32, len(values))
	for b.Loop() {
		copy(scratch, values)
		Select(scratch, 1843)
	}
}
