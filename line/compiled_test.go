package line_test

import (
	"context"
	"errors"
	"image"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// watched is a network that counts how often its graph is built, and can refuse to build it.
type watched struct {
	nets.Classifier
	builds atomic.Int64
	refuse atomic.Bool
}

var errRefused = errors.New("not today")

func (w *watched) Build(b *graph.Builder, x *G.Node) error {
	w.builds.Add(1)
	if w.refuse.Load() {
		return errRefused
	}
	return w.Classifier.Build(b, x)
}

// once is a stream that can be read a single time.
func once(batches ...graph.Batch) graph.Batches {
	read := false
	return func(yield func(graph.Batch, error) bool) {
		if read {
			panic("the stream is read again")
		}
		read = true
		nettest.Stream(batches...)(yield)
	}
}

// TestScoreCompilesOnce: there is one program for batches and one for single images, whatever the number of calls.
func TestScoreCompilesOnce(t *testing.T) {
	inner := newTiny(3, 5, 1)
	net := &watched{Classifier: inner}
	det := fit(t, net, nettest.Stream(inner.batch(9, 1)), line.DefaultOptions())
	net.builds.Store(0)
	var first sync.WaitGroup
	for range 8 {
		first.Go(func() {
			if _, err := det.Score(context.Background(), nettest.Stream(inner.batch(9, 2))); err != nil {
				t.Error(err)
			}
		})
	}
	first.Wait()
	for kinds, sizes := range [][]int{{9}, {9}, {2, 1}, {1}, {1}, {1, 8}, {9}} {
		_, err := det.Score(context.Background(), nettest.Split(inner.batch(9, 2), sizes...))
		require.NoError(t, err)
		want := runtime.GOMAXPROCS(0) // a replica for each
		if kinds >= 3 {
			want *= 2
		}
		require.Equal(t, want, int(net.builds.Load()), "batches of %v", sizes)
	}
}

// TestFailuresAreNotKept: an error while building the network, or a context that has ended, does not affect later
// calls.
func TestFailuresAreNotKept(t *testing.T) {
	ctx := context.Background()
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, size := range []int{1, 4} {
		inner := newTiny(3, 5, 1)
		net := &watched{Classifier: inner}
		det := fit(t, net, nettest.Stream(inner.batch(9, 1)), line.DefaultOptions())
		net.builds.Store(0)
		images := inner.batch(size, 2)
		released := 0
		images.Release = func() { released++ }
		_, err := det.Score(done, nettest.Stream(images))
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, net.builds.Load(), "nothing is compiled for nobody")
		net.refuse.Store(true)
		_, err = det.Score(ctx, nettest.Stream(images))
		require.ErrorIs(t, err, errRefused)
		require.Equal(t, 2, released, "a batch that was read is released")
		net.refuse.Store(false)
		_, err = det.Score(ctx, nettest.Stream(images))
		require.NoError(t, err)
		_, err = det.Score(done, nettest.Stream(images))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 4, released)
	}

	net := &watched{Classifier: newForPictures([3]float32{1, 1, 1})}
	det := fit(t, net, nettest.Stream(nettest.Batch(6, net.InputShape(), 2, 1)), line.DefaultOptions())
	net.builds.Store(0)
	picture := pictures(1, 2, 1, 1)
	_, err := det.ScoreImage(done, picture[0])
	require.ErrorIs(t, err, context.Canceled)
	for _, err := range det.ScoreImages(done, slices.Values(picture)) {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Zero(t, net.builds.Load(), "nothing is compiled for nobody")
	net.refuse.Store(true)
	_, err = det.ScoreImage(ctx, picture[0])
	require.ErrorIs(t, err, errRefused)
	for _, err := range det.ScoreImages(ctx, slices.Values(picture)) {
		require.ErrorIs(t, err, errRefused)
	}
	net.refuse.Store(false)
	_, err = det.ScoreImage(ctx, picture[0])
	require.NoError(t, err)
}

// TestScoreReadsOnce: Score looks at the first batch without losing it, and returns an error of the stream wherever
// it occurs.
func TestScoreReadsOnce(t *testing.T) {
	net := newTiny(3, 5, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	all := net.batch(12, 2)
	want, err := det.Score(context.Background(), nettest.Stream(all))
	require.NoError(t, err)
	for _, sizes := range [][]int{{1}, {1, 11}, {11, 1}, {5}} {
		var parts []graph.Batch
		for b := range nettest.Split(all, sizes...) {
			parts = append(parts, b)
		}
		got, err := det.Score(context.Background(), once(parts...))
		require.NoError(t, err)
		require.Equal(t, want, got, "batches of %v", sizes)
	}
	broken := errors.New("disk on fire")
	for good := range 3 {
		_, err := det.Score(context.Background(), func(yield func(graph.Batch, error) bool) {
			for b := range nettest.Split(all, 1) {
				if good--; good < 0 {
					yield(graph.Batch{}, broken)
					return
				}
				if !yield(b, nil) {
					return
				}
			}
		})
		require.ErrorIs(t, err, broken)
	}
}

// TestScoringFromManyGoroutines shares one unused detector between goroutines that score the same and different
// images, in batches, one by one, and as pictures.
func TestScoringFromManyGoroutines(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 8)
	train := nettest.Batch(20, net.InputShape(), 3, 1)
	shared := pictures(5, 32, 32, 99)
	type job struct {
		images   graph.Batch
		pictures []image.Image
	}
	jobs := make([]job, 8)
	for i := range jobs {
		seed := uint64(i)
		if i < 4 {
			seed = 3 // half of the goroutines score the same images
		}
		jobs[i] = job{nettest.Batch(11, net.InputShape(), 0, seed),
			append(slices.Clone(shared), pictures(2, 32, 32, seed)...)}
	}
	// The expected scores are those of a batch run by another detector.
	reference := fit(t, net, nettest.Stream(train), line.DefaultOptions())
	det := fit(t, net, nettest.Stream(train), line.DefaultOptions())
	ctx := context.Background()
	var wants [8]*line.Scores
	var results [8][]line.Result
	for i, j := range jobs {
		var err error
		wants[i], err = reference.Score(ctx, nettest.Stream(j.images))
		require.NoError(t, err)
		for r, err := range reference.ScoreImages(ctx, slices.Values(j.pictures)) {
			require.NoError(t, err)
			results[i] = append(results[i], r)
		}
	}
	var group sync.WaitGroup
	for i, j := range jobs {
		group.Go(func() {
			for round := range 3 {
				size := 1
				if (i+round)%2 == 0 {
					size = 6
				}
				got, err := det.Score(ctx, nettest.Split(j.images, size))
				if err != nil || !slices.Equal(got.Score, wants[i].Score) ||
					!slices.Equal(got.Prediction, wants[i].Prediction) {
					t.Errorf("goroutine %d: %v, expected %v, got %v", i, err, wants[i], got)
				}
				for k, p := range j.pictures {
					r, err := det.ScoreImage(ctx, p)
					if err != nil || r != results[i][k] {
						t.Errorf("goroutine %d, picture %d: %v, expected %v, got %v", i, k, err, results[i][k], r)
					}
				}
			}
		})
	}
	group.Wait()
}
