package line

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// kept returns the first number of each kept row of the rows 0 to n-1, which are added size at a time.
func kept(n, size, most int) []float32 {
	s := newSample(2, most)
	for lo := 0; lo < n; lo += size {
		var rows []float32
		for i := lo; i < min(lo+size, n); i++ {
			rows = append(rows, float32(i), float32(-i))
		}
		s.add(rows)
		clear(rows) // the sample must have copied them
	}
	var out []float32
	for b := range s.batches() {
		for i := range b.N {
			if b.X[2*i] != -b.X[2*i+1] {
				panic("a row was torn apart")
			}
			out = append(out, b.X[2*i])
		}
	}
	return out
}

// TestSampleKeepsAllOrADraw: a sample keeps all rows in order while there is room, and beyond that a draw without
// repetition.
func TestSampleKeepsAllOrADraw(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 600} {
		got := kept(n, 100, 600)
		require.Len(t, got, n)
		for i, v := range got {
			require.Equal(t, float32(i), v)
		}
	}
	got := kept(5000, 100, 600)
	require.Equal(t, got, kept(5000, 7, 600), "batches do not show")
	slices.Sort(got)
	require.Len(t, slices.Compact(got), 600, "no row comes twice")
	early := 0
	for _, v := range got {
		if v < 2500 {
			early++
		}
	}
	require.InDelta(t, 300, early, 60, "either half of the stream has its share: five standard errors") // √(600/4) = 12
}

// TestSampleRows: the number of rows is 65,536, fewer where these would exceed 128 MiB, but never below 1,024.
func TestSampleRows(t *testing.T) {
	for dim, want := range map[int]int{1: 65536, 342: 65536, 512: 65536, 1024: 32768, 2048: 16384, 1 << 15: 1024,
		1 << 20: 1024} {
		require.Equal(t, want, sampleRows(dim), "%d neurons", dim)
	}
}

// TestKeptFeaturesOfEachClass: a class gets its share of the rows, at least one, even if the draw from all rows
// misses it.
func TestKeptFeaturesOfEachClass(t *testing.T) {
	k := &keptFeatures{all: newSample(1, 30), byClass: []*sample{newSample(1, 5), newSample(1, 5), newSample(1, 5)}}
	for i := range 3000 { // class 2 has three rows, class 1 some, class 0 nearly all
		label := 0
		switch {
		case i%1000 == 7:
			label = 2
		case i%100 == 0:
			label = 1
		}
		k.add([]float32{float32(10*i + label)}, []int{label})
	}
	for class, s := range k.byClass {
		n := 0
		for b := range s.batches() {
			for _, v := range b.X {
				require.Equal(t, class, int(v)%10)
				n++
			}
		}
		require.Equal(t, []int{5, 5, 3}[class], n)
	}
	limits, err := k.clipLimits(t.Context(), 50)
	require.NoError(t, err)
	require.Len(t, limits, 3)
	require.Equal(t, float32(10*1007+2), limits[2], "the median of three")
}

// TestPercentilesOfADraw: percentiles of a draw are near those of the whole stream, and equal for equal streams.
func TestPercentilesOfADraw(t *testing.T) {
	one := func() []float32 {
		s := newSample(2, 2000)
		for i := range 20000 {
			v := float32(i*7919%20000) / 20000
			s.add([]float32{v, -v})
		}
		got, err := s.percentiles(t.Context(), 90)
		require.NoError(t, err)
		return got
	}
	got := one()
	require.Equal(t, got, one())
	require.InDelta(t, 0.9, got[0], 0.03, "four standard errors") // √(0.9·0.1/2000) = 0.0067
	require.InDelta(t, -0.1, got[1], 0.03)
}

// TestClassesShareTheRows: with bounds per class, the classes share the number of rows that may be kept.
func TestClassesShareTheRows(t *testing.T) {
	for classes, want := range map[int]int{1: 65536, 10: 6553, 100000: 1} {
		net := headNet{classes: classes, dim: 342}
		require.Nil(t, keepFeatures(&net, Options{ClipPercentile: 90}).byClass)
		k := keepFeatures(&net, Options{ClipPercentile: 90, ClipPerClass: true})
		require.Len(t, k.byClass, classes)
		require.Equal(t, want, k.byClass[classes-1].most)
	}
}
