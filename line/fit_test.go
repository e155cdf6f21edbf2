package line_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
)

// TestFitMeasuresTheFormula: s_i = z_i · W[y, i], averaged over the images labelled y, with z neither clipped nor
// masked.
func TestFitMeasuresTheFormula(t *testing.T) {
	net := newTiny(3, 11, 9)
	train := net.batch(25, 1)
	z := run(t, net, graph.Options{Fetch: []string{"features"}}, nettest.Stream(train)).f32["features"]
	w, _ := net.head()
	want, n := make([]float64, 33), make([]float64, 3)
	for i, y := range train.Labels {
		n[y]++
		for j := range 11 {
			want[y*11+j] += float64(z[i*11+j] * w[y*11+j])
		}
	}
	for i, got := range fit(t, net, nettest.Stream(train), line.DefaultOptions()).Mean() {
		require.Equal(t, float32(want[i]/n[i/11]), got)
	}
}

// TestHalvesMergeIntoTheWhole: the contributions of two parts merge into those of the whole, bit for bit, for any
// split.
func TestHalvesMergeIntoTheWhole(t *testing.T) {
	net := newTiny(4, 19, 2)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	all := net.batch(50, 3)
	whole, err := line.Measure(context.Background(), prog, nettest.Stream(all))
	require.NoError(t, err)
	width := len(all.X) / all.N
	for _, cut := range []int{1, 7, 25, 49} {
		merged := line.NewContributions(4, 19)
		for _, r := range [][2]int{{cut, 50}, {0, cut}} {
			part, err := line.Measure(context.Background(), prog, nettest.Stream(graph.Batch{
				N: r[1] - r[0], X: all.X[r[0]*width : r[1]*width], Labels: all.Labels[r[0]:r[1]],
			}))
			require.NoError(t, err)
			require.NoError(t, merged.Merge(part))
		}
		require.Equal(t, mean(t, whole), mean(t, merged))
	}
}

func TestFitRefuses(t *testing.T) {
	net := newTiny(3, 5, 1)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	batch := func(labels ...int) graph.Batch {
		b := net.batch(6, 1)
		b.Labels = labels
		return b
	}
	broken := errors.New("disk on fire")
	poisoned := batch(0, 1, 2, 0, 1, 2)
	poisoned.X[3*40+7] = float32(math.NaN())
	infinite := batch(0, 1, 2, 0, 1, 2)
	infinite.X[5*40] = float32(math.Inf(1))
	short := batch(0, 1, 2, 0, 1, 2)
	short.X = short.X[1:]
	for name, bad := range map[string]struct {
		images graph.Batches
		want   string
	}{
		"no labels":      {nettest.Stream(batch()), "training images have no labels"},
		"labels end":     {nettest.Stream(batch(0, 1, 2, 0, 1, 2), batch()), "training images have no labels"},
		"too few labels": {nettest.Stream(batch(0, 1)), "expected a label for each of 6 samples, got 2"},
		"unknown label": {nettest.Stream(batch(0, 1, 2, 0, -1, 2)),
			"training image 4: expected a label from 0 to 2, got -1"},
		"label too large": {nettest.Stream(batch(0, 1, 2, 0, 1, 2), batch(0, 3, 0, 0, 0, 0)),
			"training image 7: expected a label from 0 to 2, got 3"},
		"class missing": {nettest.Stream(batch(0, 0, 2, 0, 0, 2)), "no images of class 1"},
		"no images":     {nettest.Stream(), "no images"},
		"empty batch":   {nettest.Stream(graph.Batch{}), "expected at least 1 sample, got 0"},
		"wrong size":    {nettest.Stream(short), "values of shape [2 5 4] for each of 6 samples, got 239"},
		"NaN":           {nettest.Stream(poisoned), "training image 3: contribution of neuron "},
		"infinite": {nettest.Stream(batch(0, 1, 2, 0, 1, 2), infinite),
			"training image 11: contribution of neuron "},
		"stream that fails": {func(yield func(graph.Batch, error) bool) { yield(graph.Batch{}, broken) },
			"disk on fire"},
	} {
		_, err := line.Fit(context.Background(), prog, bad.images, line.DefaultOptions())
		require.ErrorContains(t, err, bad.want, name)
		require.Equal(t, name == "stream that fails", errors.Is(err, broken), name)
		require.Equal(t, name == "no images", errors.Is(err, line.ErrNoImages), name)
	}
	used := false
	_, err = line.Fit(context.Background(), prog, func(func(graph.Batch, error) bool) { used = true },
		line.Options{Clip: -1})
	require.ErrorContains(t, err, "a positive clip, got -1")
	require.False(t, used, "options are checked before the work")

	headless, err := graph.Compile(struct{ graph.Model }{net}, graph.Options{})
	require.NoError(t, err)
	_, err = line.Fit(context.Background(), headless, nettest.Stream(net.batch(6, 1)), line.DefaultOptions())
	require.ErrorContains(t, err, "expected a classifier with a linear last layer")
}

func TestScoreRefuses(t *testing.T) {
	net := newTiny(3, 5, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	_, err := det.Score(context.Background(), nettest.Stream())
	require.EqualError(t, err, "line: score: no images")
	require.ErrorIs(t, err, line.ErrNoImages)
	for _, o := range switches() {
		det := fit(t, net, nettest.Stream(net.batch(9, 1)), o)
		bad := net.batch(4, 2)
		bad.X[2*40] = float32(math.NaN())
		_, err = det.Score(context.Background(), nettest.Stream(net.batch(3, 1), bad))
		require.ErrorContains(t, err, "score of image 5 is NaN", "%+v", o)
	}
	_, err = det.Compile(graph.Options{Fetch: []string{"scores"}})
	require.ErrorContains(t, err, `no node is named "scores"; there are`)
}

// endless is a stream without end that calls cancel at its n-th batch.
func endless(b graph.Batch, n int, cancel context.CancelFunc) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for i := 0; ; i++ {
			if i == n {
				cancel()
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func TestCancel(t *testing.T) {
	net := newTiny(3, 5, 1)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	before := runtime.NumGoroutine()
	for _, n := range []int{0, 1, 20} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := line.Fit(ctx, prog, endless(net.batch(9, 1), n, cancel), line.DefaultOptions())
		require.ErrorIs(t, err, context.Canceled)
		ctx, cancel = context.WithCancel(context.Background())
		_, err = det.Score(ctx, endless(net.batch(9, 1), n, cancel))
		require.ErrorIs(t, err, context.Canceled)
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.Less(t, time.Since(start), 5*time.Second, "%d goroutines are left over", runtime.NumGoroutine()-before)
	}
}

// TestDetectorIsSafeForConcurrentUse runs one program from several goroutines.
func TestDetectorIsSafeForConcurrentUse(t *testing.T) {
	net := newTiny(3, 5, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), line.DefaultOptions())
	prog, err := det.Compile(graph.Options{Workers: 2})
	require.NoError(t, err)
	want, err := det.Score(context.Background(), nettest.Stream(net.batch(30, 2)))
	require.NoError(t, err)
	results := make(chan []float64, 4)
	for range cap(results) {
		go func() {
			s, err := line.Collect(context.Background(), prog, nettest.Split(net.batch(30, 2), 7))
			if err != nil {
				results <- nil
				return
			}
			results <- s.Score
		}()
	}
	for range cap(results) {
		require.True(t, slices.Equal(want.Score, <-results))
	}
}
