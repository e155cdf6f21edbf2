package line_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/line"
)

// FuzzStatistics damages the statistics of a part. They are refused, or they can be written, merged and turned into a
// detector without a panic.
func FuzzStatistics(f *testing.F) {
	net := pooling(f)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(f, err)
	per := 6
	x := make([]float32, 8*per)
	for i := range x {
		x[i] = float32(i % 7)
	}
	all := graph.Batch{X: x, N: 8, Labels: []int{0, 1, 0, 1, 0, 1, 0, 1}}
	var files [][]byte
	var others []*line.Statistics
	for _, o := range []line.Options{line.DefaultOptions(), {ClipPercentile: 90, ClipPerClass: true}} {
		part := func(lo, hi int) *line.Statistics {
			place := line.Place{Span: line.Span{First: lo, Images: hi - lo}, Before: []int{lo / 2, lo / 2}}
			s, err := line.MeasurePlace(f.Context(), prog, images(all, upTo(lo, hi)), place, o)
			require.NoError(f, err)
			return s.WithPictures([]line.Hash{{1}, {2}})
		}
		data, err := part(0, 4).MarshalBinary()
		require.NoError(f, err)
		files, others = append(files, data), append(others, part(4, 8))
	}
	for i := range 8 {
		f.Add(uint8(i), uint8(i), uint64(i), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, which, kind uint8, seed uint64, data []byte) {
		i := int(which) % len(files)
		switch rng := rand.New(rand.NewPCG(seed, 1)); kind % 4 {
		case 0:
		case 1:
			data = files[i]
		case 2:
			data = damage.Defect(files[i], rng)
		default:
			data = damage.Zip(files[i], rng)
		}
		s, other := &line.Statistics{}, &line.Statistics{}
		if err := s.UnmarshalBinary(data); err != nil {
			require.ErrorContains(t, err, "read statistics")
			return
		}
		again, err := s.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, other.UnmarshalBinary(again))
		if err := other.Merge(others[i]); err != nil {
			return
		}
		_, err = other.Detector(t.Context(), net, 8, graph.Options{Workers: 1})
		if kind%4 == 1 {
			require.NoError(t, err)
		}
	})
}
