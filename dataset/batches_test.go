package dataset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
)

// bare is a preprocessing that only scales values.
var bare = nets.Preprocessing{Crop: 1, Std: [3]float32{1, 1, 1}}

// collect copies a stream of batches and releases each batch at once.
func collect(t require.TestingT, batches graph.Batches) (x []float32, labels, sizes []int, err error) {
	for b, e := range batches {
		if e != nil {
			return x, labels, sizes, e
		}
		require.NotZero(t, b.N)
		x = append(x, b.X...)
		if b.Labels != nil {
			require.Len(t, b.Labels, b.N)
		}
		labels = append(labels, b.Labels...)
		sizes = append(sizes, b.N)
		clear(b.X[:len(b.X)/2]) // released memory may be overwritten
		b.Release()
	}
	return x, labels, sizes, nil
}

// TestBatchesEqualLoop: any number of workers and any batch size give the same values as a plain loop, for labelled
// and unlabelled sets, all images or some, with and without releasing batches.
func TestBatchesEqualLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "images")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		d := &fake{name: "f", n: n, image: func(i int) (Image, error) {
			return noise(3+i%4, 2+i%3), nil
		}}
		if rapid.Bool().Draw(t, "labelled") {
			d.labels = rng.Perm(n)
		}
		var indices []int
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		if rapid.Bool().Draw(t, "indices") {
			indices = rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 50).Draw(t, "chosen")
			want = indices
		}
		p := nets.CIFAR()
		p.Resize, p.Crop = 4, 3
		size, workers := rapid.IntRange(1, 12).Draw(t, "size"), rapid.IntRange(0, 9).Draw(t, "workers")
		x, labels, sizes,
			err := collect(t, Batches(context.Background(), d, p, BatchOptions{Size: size, Workers: workers,
			Indices: indices}))
		require.NoError(t, err)
		var loop []float32
		var loopLabels []int
		for _, i := range want {
			img, err := d.Image(i)
			require.NoError(t, err)
			one := make([]float32, 27)
			require.NoError(t, Preprocess(one, img, p))
			loop = append(loop, one...)
			if d.labels != nil {
				loopLabels = append(loopLabels, d.labels[i])
			}
		}
		require.Equal(t, loop, x)
		require.Equal(t, loopLabels, labels)
		for k, got := range sizes {
			require.Equal(t, min(size, len(want)-k*size), got)
		}
	})
}

// Batches that are not released keep their values.
func TestBatchesKeepWhatIsNotReleased(t *testing.T) {
	var kept []graph.Batch
	for b, err := range Batches(t.Context(), &fake{name: "f", n: 50}, bare, BatchOptions{Size: 2, Workers: 3}) {
		require.NoError(t, err)
		if len(kept)%2 == 0 {
			kept = append(kept, b)
		} else {
			kept = append(kept, graph.Batch{X: []float32{b.X[0], 0, 0, b.X[3]}, N: b.N})
			b.Release()
			b.Release() // a second call must do no harm
		}
	}
	for k, b := range kept {
		require.Equal(t, []float32{float32(2*k) / 255, float32(2*k+1) / 255}, []float32{b.X[0], b.X[3]})
	}
}

// Released memory is used again, and few batches are in progress, whether or not batches are released.
func TestBatchesBoundMemory(t *testing.T) {
	var started atomic.Int64
	d := &fake{name: "f", n: 1000, image: func(int) (Image, error) {
		started.Add(1)
		return noise(1, 1), nil
	}}
	seen := map[*float32]bool{}
	taken := 0
	for b, err := range Batches(t.Context(), d, bare, BatchOptions{Size: 5, Workers: 4}) {
		require.NoError(t, err)
		if taken == 50 {
			time.Sleep(20 * time.Millisecond) // time for the workers to run too far ahead
		}
		taken += b.N
		require.LessOrEqual(t, started.Load(), int64(taken+5*4+4))
		seen[&b.X[0]] = true
		b.Release()
	}
	require.Equal(t, 1000, taken)
	require.LessOrEqual(t, len(seen), 6)
}

func TestBatchesStreamCanBeReadTwice(t *testing.T) {
	stream := Batches(t.Context(), &fake{name: "f", n: 7}, bare, BatchOptions{Size: 3})
	first, _, sizes, err := collect(t, stream)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3, 1}, sizes)
	second, _, _, err := collect(t, stream)
	require.NoError(t, err)
	require.Equal(t, first, second)
}

// The first failing image in order ends the stream, even if another image fails earlier in time. The batches before
// it arrive.
func TestBatchesError(t *testing.T) {
	boom := errors.New("boom")
	for _, workers := range []int{1, 8} {
		d := &fake{name: "f", n: 30, image: func(i int) (Image, error) {
			switch i {
			case 13:
				time.Sleep(5 * time.Millisecond)
				return Image{}, fmt.Errorf("file 13: %w", boom)
			case 14, 16:
				return Image{}, errors.New("a later error")
			}
			return noise(1, 1), nil
		}}
		_, _, sizes, err := collect(t, Batches(t.Context(), d, bare, BatchOptions{Size: 5, Workers: workers}))
		require.ErrorIs(t, err, boom)
		require.Equal(t, []int{5, 5}, sizes)
	}
	panics := &fake{name: "f", n: 3, image: func(i int) (Image, error) { panic("oh") }}
	_, _, _, err := collect(t, Batches(t.Context(), panics, bare, BatchOptions{}))
	require.ErrorContains(t, err, "f: image f#0: reading failed: oh")
	broken := &fake{name: "f", n: 3, image: func(i int) (Image, error) {
		return Image{Pix: nil, Height: 1, Width: 1}, nil
	}}
	_, _, _, err = collect(t, Batches(t.Context(), broken, bare, BatchOptions{}))
	require.ErrorContains(t, err, "f: image f#0: image of 1x1 pixels (height x width): expected 3 samples, got 0")
}

// Without a crop the first image determines the size.
func TestBatchesWithoutCrop(t *testing.T) {
	p := nets.Preprocessing{Resize: 4, Std: [3]float32{1, 1, 1}}
	d := &fake{name: "f", n: 3, image: func(i int) (Image, error) { return noise(8+8*(i/2), 16+16*(i/2)), nil }}
	x, _, _, err := collect(t, Batches(t.Context(), d, p, BatchOptions{}))
	require.NoError(t, err)
	require.Len(t, x, 3*3*4*8)
	d.image = func(i int) (Image, error) { return noise(8, 16+8*(i/2)), nil }
	_, _, _, err = collect(t, Batches(t.Context(), d, p, BatchOptions{}))
	require.ErrorContains(t, err,
		"f: image f#2: expected the size of the first image after preprocessing, 4x8 (height x width), got 4x12")
	d.image = func(int) (Image, error) { return Image{}, errors.New("no first image") }
	_, _, _, err = collect(t, Batches(t.Context(), d, p, BatchOptions{}))
	require.ErrorContains(t, err, "no first image")
}

func TestBatchesRefuse(t *testing.T) {
	d := &fake{name: "f", n: 3}
	for want, c := range map[string]struct {
		p nets.Preprocessing
		o BatchOptions
	}{
		"size -1 and 0 workers":                              {bare, BatchOptions{Size: -1}},
		"size 0 and -2 workers":                              {bare, BatchOptions{Workers: -2}},
		"batches of f: expected an image from 0 to 2, got 3": {bare, BatchOptions{Indices: []int{0, 3}}},
		"no images":          {bare, BatchOptions{Indices: []int{}}},
		"standard deviation": {nets.Preprocessing{}, BatchOptions{}},
	} {
		_, _, sizes, err := collect(t, Batches(t.Context(), d, c.p, c.o))
		require.ErrorContains(t, err, want)
		require.Empty(t, sizes)
	}
}

// settle waits until as many goroutines run as before.
func settle(t *testing.T, before int) {
	t.Helper()
	for range 10_000 { // for some seconds at most, since the machine may be busy
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// late is a context from which others learn of its end only when they look.
type late struct{ context.Context }

// AfterFunc is how contexts that are made from this one ask to be ended with it. It never calls f.
func (late) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

// Value keeps others from finding the context inside.
func (late) Value(any) any { return nil }

func TestBatchesStop(t *testing.T) {
	before := runtime.NumGoroutine()
	var decoded, running atomic.Int64
	d := &fake{name: "f", n: 100000, image: func(int) (Image, error) {
		running.Add(1)
		defer running.Add(-1)
		decoded.Add(1)
		time.Sleep(time.Millisecond)
		return noise(1, 1), nil
	}}
	t.Run("break", func(t *testing.T) {
		for _, err := range Batches(t.Context(), d, bare, BatchOptions{Size: 2, Workers: 4}) {
			require.NoError(t, err)
			break
		}
		require.Zero(t, running.Load(), "still decoding after the loop")
		require.Less(t, decoded.Load(), int64(100))
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for _, err := range Batches(ctx, d, bare, BatchOptions{Size: 2, Workers: 4}) {
			if last = err; err != nil {
				continue // the stream must end by itself
			}
			if n++; n == 3 {
				cancel()
			}
		}
		require.Zero(t, running.Load())
		require.ErrorIs(t, last, context.Canceled)
		require.Equal(t, 3, n)
	})
	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, sizes, err := collect(t, Batches(ctx, d, bare, BatchOptions{}))
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, sizes)
	})
	t.Run("cancel while decoding is slow", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		var begun atomic.Int64
		slow := &fake{name: "f", n: 1000, image: func(int) (Image, error) {
			begun.Add(1)
			<-ctx.Done()
			return noise(1, 1), nil
		}}
		_, _, _, err := collect(t, Batches(ctx, slow, bare, BatchOptions{Size: 500, Workers: 2}))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, begun.Load(), int64(2), "one of each worker, which began before")
	})
	t.Run("contexts made from it end late", func(t *testing.T) {
		inner, cancel := context.WithCancel(t.Context())
		var begun atomic.Int64
		quick := &fake{name: "f", n: 1000, image: func(int) (Image, error) {
			if begun.Add(1) == 2 {
				cancel()
			}
			<-inner.Done()
			return noise(1, 1), nil
		}}
		_, _, _, err := collect(t, Batches(late{inner}, quick, bare, BatchOptions{Size: 500, Workers: 2}))
		require.ErrorIs(t, err, context.Canceled)
		require.LessOrEqual(t, begun.Load(), int64(2), "one of each worker, which began before")
	})
	t.Run("panic in the loop", func(t *testing.T) {
		assert.PanicsWithValue(t, "consumer", func() {
			for range Batches(t.Context(), d, bare, BatchOptions{Size: 2, Workers: 4}) {
				panic("consumer")
			}
		})
	})
	settle(t, before)
}

// All kinds of sets are read, including those that decode into given memory.
func TestBatchesOfFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "pics/a.png", dot(t, 10))
	put(t, dir, "pics/b.png", dot(t, 20))
	grey := put(t, dir, "grey", idxFile(4, 1, 1))
	bin := put(t, dir, "c.bin", cifarFile(1, 1, 2, 3))
	pics, idx, cifar := mustOpen(t, dir+"/pics"), mustOpen(t, grey), mustOpen(t, bin)
	part, err := Subset(cifar, []int{2, 1})
	require.NoError(t, err)
	all, err := Concat(pics, idx, part, &fake{name: "f", n: 2})
	require.NoError(t, err)
	p := bare
	p.Resize = 1
	x, labels, _, err := collect(t, Batches(t.Context(), all, p, BatchOptions{Size: 3, Workers: 2}))
	require.NoError(t, err)
	require.Equal(t, []int{-1, -1, -1, -1, -1, -1, 3, 2, -1, -1}, labels)
	for i := range all.Len() {
		img, err := all.Image(i)
		require.NoError(t, err)
		want := make([]float32, 3)
		require.NoError(t, Preprocess(want, img, p))
		require.Equal(t, want, x[3*i:3*i+3], "image %d", i)
	}
}

func BenchmarkBatches(b *testing.B) {
	for _, c := range []struct {
		name, path string
		p          nets.Preprocessing
	}{
		{"cifar10", sharedtest.Path(b, "data", "cifar10_test_5000.bin"), nets.CIFAR()},
		{"png64", sharedtest.Path(b, "data", "scenes_png"), nets.CIFAR()},
		{"png299", sharedtest.Path(b, "data", "imagenet_like"), nets.Preprocessing{Resize: 256, Crop: 224,
			Std: [3]float32{1, 1, 1}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d, err := Open(c.path)
			require.NoError(b, err)
			defer d.Close()
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				for batch, err := range Batches(b.Context(), d, c.p, BatchOptions{}) {
					require.NoError(b, err)
					n += batch.N
					batch.Release()
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
