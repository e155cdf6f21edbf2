package graph_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// wired is a model of one number per sample, y = x, that calls trip before each run with the run's first number.
func wired(trip func(first float64) error) *model {
	return &model{shape: []int{1}, outputs: []string{"y"}, build: func(b *graph.Builder, x *G.Node) error {
		b.Tap("y", b.Do(func() (*G.Node, error) { return graph.Tripwire(x, trip) }))
		return b.Err()
	}}
}

func quiet(float64) error { return nil }

// ledger counts how often each batch of a stream is released.
type ledger struct {
	mu       sync.Mutex
	released []int
}

// numbered returns a stream of n batches whose samples all hold the batch's index, followed by err unless it is nil. A
// negative n means a stream without end.
func (l *ledger) numbered(ctx context.Context, n, samples int, err error) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for i := 0; i != n; i++ {
			if ctx.Err() != nil {
				return
			}
			l.mu.Lock()
			l.released = append(l.released, 0)
			l.mu.Unlock()
			b := graph.Batch{X: slices.Repeat([]float32{float32(i)}, samples), N: samples, Release: func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.released[i]++
			}}
			if !yield(b, nil) {
				return
			}
		}
		if err != nil {
			yield(graph.Batch{}, err)
		}
	}
}

// requireSettled fails unless each batch was released once and there are no more goroutines than before.
func (l *ledger) requireSettled(t *testing.T, before int) {
	t.Helper()
	for i, n := range l.released {
		require.Equal(t, 1, n, "releases of batch %d of %d", i, len(l.released))
	}
	for range 4000 { // up to some seconds, for a machine that is busy with other work
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Fatalf("%d goroutines before, now %d\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
}

// TestEveryWayARunEnds checks, for every way in which a run can end, the batches that are yielded, that every batch is
// released once, that no goroutine is left, and that the program still works.
func TestEveryWayARunEnds(t *testing.T) {
	errStream, errTrip := errors.New("disk on fire"), errors.New("tripped")
	for name, c := range map[string]struct {
		batches, samples int
		err              error                                  // error of the stream
		trip             func(first float64) error              // called by the operation, which returns its error
		body             func(i int, cancel func()) (stop bool) // the loop's body
		good             int                                    // number of batches yielded, -1 for any
		want             error
		text             string
	}{
		"to the end":    {batches: 20, samples: 7, good: 20},
		"no batch":      {batches: 0, good: 0},
		"break at once": {batches: -1, samples: 7, good: 1, body: func(int, func()) bool { return true }},
		"break later": {batches: -1, samples: 9, good: 6,
			body: func(i int, _ func()) bool { return i == 5 }},
		"error of the stream":         {batches: 5, samples: 3, err: errStream, good: 5, want: errStream},
		"error of the stream at once": {batches: 0, err: errStream, good: 0, want: errStream},
		"break before the error": {batches: 5, samples: 3, err: errStream, good: 5,
			body: func(i int, _ func()) bool { return i == 4 }},
		"cancelled": {batches: -1, samples: 7, good: -1, want: context.Canceled, body: func(i int, cancel func()) bool {
			if i == 3 {
				cancel()
			}
			return false
		}},
		"cancelled and left": {batches: -1, samples: 7, good: 4, body: func(i int, cancel func()) bool {
			if i == 3 {
				cancel()
			}
			return i == 3
		}},
		"error of an operation": {batches: -1, samples: 5, good: 4, want: errTrip, text: "batch 4: samples ",
			trip: func(x float64) error {
				if x == 4 {
					return errTrip
				}
				return nil
			}},
		"panic of an operation": {batches: -1, samples: 5, good: 4, text: "Tripwire: panic: ouch",
			trip: func(x float64) error {
				if x == 4 {
					panic("ouch")
				}
				return nil
			}},
		"error of an operation at once": {batches: 3, samples: 5, good: 0, want: errTrip, text: "batch 0: samples ",
			trip: func(float64) error { return errTrip }},
	} {
		for _, o := range []graph.Options{{Batch: 2, Workers: 3}, {Batch: 4, Workers: 1}, {Batch: 9, Workers: 2}} {
			t.Run(fmt.Sprintf("%s, batch %d, replicas %d", name, o.Batch, o.Workers), func(t *testing.T) {
				trip := atomic.Pointer[func(float64) error]{}
				trip.Store(&c.trip)
				if c.trip == nil {
					c.trip = quiet
				}
				p := compile(t, wired(func(x float64) error { return (*trip.Load())(x) }), o)
				before := runtime.NumGoroutine()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var l ledger
				good, failed := 0, error(nil)
				for out, err := range p.Run(ctx, l.numbered(ctx, c.batches, c.samples, c.err)) {
					require.NoError(t, failed, "nothing follows an error")
					if failed = err; err != nil {
						require.Nil(t, out)
						continue
					}
					require.Equal(t, slices.Repeat([]float32{float32(good)}, c.samples), out.Float32("y"))
					good++
					if c.body != nil && c.body(good-1, cancel) {
						break
					}
				}
				if c.good >= 0 {
					require.Equal(t, c.good, good)
				}
				if c.want != nil {
					require.ErrorIs(t, failed, c.want)
				}
				if c.want == context.Canceled {
					require.Equal(t, context.Canceled, failed)
				}
				if c.text != "" {
					require.ErrorContains(t, failed, c.text)
				}
				if c.want == nil && c.text == "" {
					require.NoError(t, failed)
				}
				l.requireSettled(t, before)

				harmless := func(float64) error { return nil }
				trip.Store(&harmless)
				require.Equal(t, []float64{1, 2, 3},
					fetched(t, p, stream(graph.Batch{X: []float32{1, 2, 3}, N: 3}))["y"])
			})
		}
	}
}

// TestCancelIsPrompt cancels while operations are slow and the stream has no end.
func TestCancelIsPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var cancelled atomic.Bool
	var after atomic.Int64
	p := compile(t, wired(func(x float64) error {
		if x == 2 {
			cancel()
			cancelled.Store(true)
		}
		if cancelled.Load() {
			after.Add(1)
		}
		time.Sleep(time.Millisecond)
		return nil
	}), graph.Options{Batch: 1, Workers: 2})
	var l ledger
	before := runtime.NumGoroutine()
	var last error
	for _, err := range p.Run(ctx, l.numbered(context.Background(), -1, 200, nil)) {
		last = err
	}
	require.Equal(t, context.Canceled, last)
	require.Less(t, after.Load(), int64(100), "of a stream that has no end")
	l.requireSettled(t, before)

	ctx, cancel = context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	n := 0
	for _, err := range p.Run(ctx, l.numbered(context.Background(), 3, 1, nil)) {
		require.Equal(t, context.DeadlineExceeded, err)
		n++
	}
	require.Equal(t, 1, n)
}

// TestStreamThatJustEndsWhenCancelled: a stream that ends without an error when ctx is cancelled looks complete to the
// program, but the caller must get ctx's error.
func TestStreamThatJustEndsWhenCancelled(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var errs []error
	for _, err := range p.Run(ctx, func(yield func(graph.Batch, error) bool) {
		yield(graph.Batch{X: []float32{1}, N: 1}, nil)
		<-ctx.Done()
	}) {
		errs = append(errs, err)
		cancel()
	}
	require.Equal(t, []error{nil, context.Canceled}, errs)
}

// TestPanicInTheLoop: the loop's body panics during a run.
func TestPanicInTheLoop(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 2, Workers: 2})
	var l ledger
	before := runtime.NumGoroutine()
	require.PanicsWithValue(t, "enough", func() {
		for range p.Run(context.Background(), l.numbered(context.Background(), -1, 7, nil)) {
			panic("enough")
		}
	})
	l.requireSettled(t, before)
}

// TestPanicInTheStream: the stream runs on a goroutine of the program, where an unhandled panic would end the process.
func TestPanicInTheStream(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 2})
	var l ledger
	before := runtime.NumGoroutine()
	good := 0
	for _, err := range p.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		l.numbered(context.Background(), 3, 5, nil)(yield)
		panic("no more")
	}) {
		if err != nil {
			require.ErrorContains(t, err, "stream of batches: panic: no more")
			continue
		}
		good++
	}
	require.Equal(t, 3, good)
	for _, err := range p.Run(context.Background(), nil) {
		require.ErrorContains(t, err, "stream of batches: panic")
	}
	l.requireSettled(t, before)
}

// TestAStreamThatWaitsForReleases has memory for one batch and fills it again only after its release.
func TestAStreamThatWaitsForReleases(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 2, Workers: 2})
	memory := []float32{0, 0, 0}
	free := make(chan struct{}, 1)
	batches := func(yield func(graph.Batch, error) bool) {
		for i := 0; ; i++ {
			free <- struct{}{}
			for j := range memory {
				memory[j] = float32(i)
			}
			if !yield(graph.Batch{X: memory, N: 3, Release: func() { <-free }}, nil) {
				return
			}
		}
	}
	i := 0
	for out, err := range p.Run(context.Background(), batches) {
		require.NoError(t, err)
		require.Equal(t, []float32{float32(i), float32(i), float32(i)}, out.Float32("y"))
		if i++; i == 50 {
			break
		}
	}
}

// TestConcurrentRuns shares one program between goroutines.
func TestConcurrentRuns(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{Fetch: everything, Batch: 2, Workers: 2})
	all := samples(6, 7)
	want := fetched(t, p, stream(all))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 5 {
				order := []int{(g + i) % 7, g, 6 - g}
				requireSameRows(t, want, fetched(t, p, stream(pick(all, order...))), 7, order, "concurrent run")
			}
		})
	}
	wg.Wait()
}

// TestNestedRuns starts a second run of the program in the loop of the first.
func TestNestedRuns(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 2, Workers: 1})
	var l ledger
	n := 0
	for out, err := range p.Run(context.Background(), l.numbered(context.Background(), 4, 3, nil)) {
		require.NoError(t, err)
		outer := out.Float32("y")[0]
		for inner, err := range p.Run(context.Background(), stream(graph.Batch{X: []float32{7}, N: 1})) {
			require.NoError(t, err)
			require.Equal(t, []float32{7}, inner.Float32("y"))
			n++
		}
		require.Equal(t, []float32{outer, outer, outer}, out.Float32("y"))
	}
	require.Equal(t, 4, n)
}

// TestRunAgain ranges twice over one sequence.
func TestRunAgain(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{})
	seq := p.Run(context.Background(), stream(graph.Batch{X: []float32{1, 2}, N: 2}))
	for range 2 {
		n := 0
		for out, err := range seq {
			require.NoError(t, err)
			require.Equal(t, []float32{1, 2}, out.Float32("y"))
			n++
		}
		require.Equal(t, 1, n)
	}
}

// TestOutputsAreReused: rows are valid until the next batch, and a clone stays valid, however far the replicas run
// ahead.
func TestOutputsAreReused(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 3, Workers: 2})
	var l ledger
	distinct := map[*float32]bool{}
	var kept [][]float32
	for out, err := range p.Run(context.Background(), l.numbered(context.Background(), 60, 4, nil)) {
		require.NoError(t, err)
		y := out.Float32("y")
		time.Sleep(200 * time.Microsecond) // let the replicas run ahead
		require.Equal(t, slices.Repeat([]float32{float32(len(kept))}, 4), y)
		kept = append(kept, slices.Clone(y))
		distinct[&y[0]] = true
	}
	for i, y := range kept {
		require.Equal(t, slices.Repeat([]float32{float32(i)}, 4), y)
	}
	require.Less(t, len(distinct), 12, "memory is used again")
}

// TestSizesOfBatchesMayChange has batches of growing and shrinking size, and so outputs.
func TestSizesOfBatchesMayChange(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 3})
	var batches []graph.Batch
	for _, n := range []int{1, 10, 2, 100, 3, 1} {
		batches = append(batches, graph.Batch{X: slices.Repeat([]float32{float32(n)}, n), N: n})
	}
	i := 0
	for out, err := range p.Run(context.Background(), stream(batches...)) {
		require.NoError(t, err)
		require.Equal(t, batches[i].X, out.Float32("y"))
		i++
	}
	require.Equal(t, len(batches), i)
}
