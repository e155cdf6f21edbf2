package line

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPartsOfASampleMerge: samples of the parts of a stream, each of which knows only how many rows come before it,
// merge in any order to the sample of the whole stream, also where that keeps only some of the rows.
func TestPartsOfASampleMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const dim = 2
		n, most := rapid.IntRange(1, 2000).Draw(t, "rows"), rapid.IntRange(1, 700).Draw(t, "most")
		rows := make([]float32, n*dim)
		for i := range rows {
			rows[i] = float32(i)
		}
		whole := newSample(dim, most)
		whole.add(rows)
		merged := newSample(dim, most)
		merged.part(0)
		var parts []*sample
		for lo := 0; lo < n; {
			hi := min(n, lo+rapid.IntRange(1, n).Draw(t, "part"))
			part := newSample(dim, most)
			part.part(lo)
			part.add(rows[lo*dim : hi*dim])
			require.LessOrEqual(t, len(part.slots), most)
			parts = append(parts, part)
			lo = hi
		}
		for _, i := range rapid.Permutation(indices(len(parts))).Draw(t, "order") {
			merged.merge(parts[i])
		}
		require.Equal(t, whole.seen, merged.seen)
		require.Equal(t, firsts(whole), firsts(merged))
	})
}

// firsts returns the first elements of the rows, in ascending order.
func firsts(s *sample) (out []float32) {
	for _, b := range s.blocks {
		for i := 0; i < len(b); i += s.dim {
			out = append(out, b[i])
		}
	}
	slices.Sort(out)
	return out
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
