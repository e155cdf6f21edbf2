package line_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
)

// somewhere compiles a small network, and returns its program and one batch of n labelled images.
func somewhere(t testing.TB, n int) (*graph.Program, graph.Batch) {
	t.Helper()
	net := nettest.DenseNetBC(t, 10, 1, 2, 5)
	prog, err := graph.Compile(net, graph.Options{Batch: 3})
	require.NoError(t, err)
	return prog, nettest.Batch(n, net.InputShape(), 2, 1)
}

// images streams the images of a batch with the given indices.
func images(b graph.Batch, indices []int) graph.Batches {
	per := len(b.X) / b.N
	return func(yield func(graph.Batch, error) bool) {
		for _, i := range indices {
			if !yield(graph.Batch{X: b.X[i*per:][:per], N: 1, Labels: b.Labels[i : i+1]}, nil) {
				return
			}
		}
	}
}

func detectorBytes(t require.TestingT, d *line.Detector) []byte {
	var out bytes.Buffer
	_, err := d.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

func upTo(lo, hi int) (out []int) {
	for i := lo; i < hi; i++ {
		out = append(out, i)
	}
	return out
}

// TestStatisticsMergeInAnyOrder: statistics of ranges of images, written, read, and merged in any order and grouping,
// give the bytes of the detector fitted to all images. With images left out they give the bytes of one fitted to the
// others.
func TestStatisticsMergeInAnyOrder(t *testing.T) {
	const n = 17
	prog, all := somewhere(t, n)
	net := nettest.DenseNetBC(t, 10, 1, 2, 5)
	rapid.Check(t, func(rt *rapid.T) {
		o := line.DefaultOptions()
		perClass := rapid.Bool().Draw(rt, "per class")
		if perClass {
			o.Clip, o.ClipPercentile, o.ClipPerClass = 0, 80, true
		}
		out := map[int]bool{}
		if !perClass {
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(2, n-1), 0, 5, rapid.ID).Draw(rt, "left out") {
				out[i] = true
			}
		}
		var kept []int
		for i := range n {
			if !out[i] {
				kept = append(kept, i)
			}
		}
		want, err := line.Fit(t.Context(), prog, images(all, kept), o)
		require.NoError(rt, err)

		var parts []*line.Statistics
		before := make([]int, 2)
		for lo := 0; lo < n; {
			hi := min(n, lo+rapid.IntRange(1, 9).Draw(rt, "run"))
			place := line.Place{Span: line.Span{First: lo, Images: hi - lo}}
			if perClass {
				place.Before = append([]int(nil), before...)
			}
			var run []int
			for i := lo; i < hi; i++ {
				if !out[i] {
					run = append(run, i)
				}
				before[all.Labels[i]]++
			}
			if len(out) > 0 {
				place.Position = func(i int) int { return run[i] - lo }
			}
			s, err := line.MeasurePlace(t.Context(), prog, images(all, run), place, o)
			require.NoError(rt, err)
			parts = append(parts, s)
			lo = hi
		}
		for len(parts) > 1 {
			i := rapid.IntRange(0, len(parts)-1).Draw(rt, "into")
			j := (i + rapid.IntRange(1, len(parts)-1).Draw(rt, "from")) % len(parts)
			data, err := parts[j].MarshalBinary()
			require.NoError(rt, err)
			read := &line.Statistics{}
			require.NoError(rt, read.UnmarshalBinary(data))
			require.NoError(rt, parts[i].Merge(read))
			parts = append(parts[:j], parts[j+1:]...)
		}
		spans, unread := parts[0].Spans()
		require.Equal(rt, []line.Span{{First: 0, Images: n}}, spans)
		require.Equal(rt, len(out), unread)
		got, err := parts[0].Detector(t.Context(), net, n, graph.Options{})
		require.NoError(rt, err)
		require.True(rt, bytes.Equal(detectorBytes(rt, want), detectorBytes(rt, got)))
	})
}

// TestStatisticsMergeRefuses: statistics that do not belong together are refused, and stay unchanged.
func TestStatisticsMergeRefuses(t *testing.T) {
	prog, all := somewhere(t, 8)
	gather := func(lo, hi int, o line.Options) *line.Statistics {
		s, err := line.MeasurePlace(t.Context(), prog, images(all, upTo(lo, hi)),
			line.Place{Span: line.Span{First: lo, Images: hi - lo}}, o)
		require.NoError(t, err)
		return s
	}
	o := line.DefaultOptions()
	s := gather(0, 4, o)
	other := o
	other.Clip = 2
	require.ErrorContains(t, s.Merge(gather(4, 8, other)), "expected the parameters")
	require.ErrorContains(t, s.Merge(gather(3, 5, o)), "got image 3 again")
	require.NoError(t, s.Merge(gather(6, 8, o)))
	net := nettest.DenseNetBC(t, 10, 1, 2, 5)
	for total, want := range map[int]string{8: "expected statistics of 8 images, got none of image 4",
		3: "expected statistics of 3 images, got those of 4"} {
		_, err := s.Detector(t.Context(), net, total, graph.Options{})
		require.ErrorContains(t, err, want, fmt.Sprint(total))
	}
	require.NoError(t, s.Merge(gather(4, 6, o)))
	_, err := s.Detector(t.Context(), net, 8, graph.Options{})
	require.NoError(t, err)
	_, err = s.Detector(t.Context(), net, 9, graph.Options{})
	require.ErrorContains(t, err, "expected statistics of 9 images, got none of image 8")

	for _, place := range []line.Place{{Span: line.Span{First: -1, Images: 4}}, {Span: line.Span{First: 0}},
		{Span: line.Span{First: 0, Images: 5}}} {
		_, err := line.MeasurePlace(t.Context(), prog, images(all, upTo(0, 4)), place, o)
		require.ErrorContains(t, err, "expected a part of", fmt.Sprint(place))
	}
	o.Clip, o.ClipPercentile, o.ClipPerClass = 0, 80, true
	_, err = line.MeasurePlace(t.Context(), prog, images(all, upTo(4, 8)),
		line.Place{Span: line.Span{First: 4, Images: 4}}, o)
	require.ErrorContains(t, err, "of each of 2 classes, got 0")
}
