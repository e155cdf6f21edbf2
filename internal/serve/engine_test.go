package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line"
)

// newEngine returns an engine for images of one number each. room limits how many there are.
func newEngine(t testing.TB, room *room, most int, compute func([]float32) ([]float64, error)) *engine {
	e := &engine{queue: make(chan job, room.most), room: room, most: most,
		metrics: newMetrics(func() float64 { return 0 })}
	e.compute = func(_ context.Context, batch []job) ([]Answer, error) {
		x := make([]float32, len(batch))
		for i, j := range batch {
			x[i] = j.x[0]
		}
		scores, err := compute(x)
		answers := make([]Answer, len(scores))
		for i, s := range scores {
			answers[i].Result = line.Result{Score: s}
		}
		return answers, err
	}
	return e
}

// ask reserves places for numbers and returns their scores.
func (e *engine) ask(ctx context.Context, numbers ...float32) ([]float64, error) {
	if !e.room.take(len(numbers)) {
		return nil, errBusy
	}
	var images [][]float32
	for _, v := range numbers {
		images = append(images, []float32{v})
	}
	answers, err := e.answer(ctx, images, 0)
	var scores []float64
	for _, a := range answers {
		scores = append(scores, a.Score)
	}
	return scores, err
}

func double(x []float32) ([]float64, error) {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = 2 * float64(v)
	}
	return out, nil
}

// TestImagesThatWaitRunTogether: images that arrive while a batch runs then run in full batches, and each gets its own
// answer.
func TestImagesThatWaitRunTogether(t *testing.T) {
	const clients, most = 40, 8
	gate, first := make(chan struct{}), make(chan struct{}, 1)
	var mu sync.Mutex
	var sizes []int
	e := newEngine(t, &room{most: 100}, most, func(x []float32) ([]float64, error) {
		mu.Lock()
		sizes = append(sizes, len(x))
		mu.Unlock()
		select {
		case first <- struct{}{}:
			<-gate
		default:
		}
		return double(x)
	})
	e.start(1)
	var group sync.WaitGroup
	for i := range clients + 1 {
		group.Go(func() {
			got, err := e.ask(t.Context(), float32(i), float32(-i))
			require.NoError(t, err)
			require.Equal(t, []float64{2 * float64(i), -2 * float64(i)}, got)
		})
	}
	soon(t, "all wait", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(sizes) == 1 && sizes[0]+len(e.queue) == 2*(clients+1)
	})
	close(gate)
	group.Wait()
	e.close()
	total := 0
	for i, n := range sizes {
		total += n
		if i > 0 && i < len(sizes)-1 {
			require.Equal(t, most, n, "batch %d of %v", i, sizes)
		}
	}
	require.Equal(t, 2*(clients+1), total)
	require.Zero(t, e.room.taken.Load())
}

// TestDelayWaitsForMore: with a delay a batch fills up from requests that come one after the other.
func TestDelayWaitsForMore(t *testing.T) {
	var sizes []int
	e := newEngine(t, &room{most: 10}, 3, func(x []float32) ([]float64, error) {
		sizes = append(sizes, len(x))
		return double(x)
	})
	e.delay = time.Minute // longer than the test
	e.start(1)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() { _, _ = e.ask(t.Context(), float32(i)) })
	}
	group.Wait()
	require.Equal(t, []int{3}, sizes)
	e.delay = time.Millisecond
	_, err := e.ask(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []int{3, 1}, sizes)
	e.close()
}

// TestOverloadShedsAndRecovers: when the room is full nothing is accepted, a request of several images is accepted as a
// whole or not at all, and when there is room again requests are accepted as before.
func TestOverloadShedsAndRecovers(t *testing.T) {
	gate := make(chan struct{})
	e := newEngine(t, &room{most: 4}, 2, func(x []float32) ([]float64, error) {
		<-gate
		return double(x)
	})
	e.start(1)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { _, _ = e.ask(t.Context(), 1) })
	}
	soon(t, "three wait", func() bool { return e.room.taken.Load() == 3 })
	_, err := e.ask(t.Context(), 1, 2)
	require.ErrorIs(t, err, errBusy)
	require.EqualValues(t, 3, e.room.taken.Load())
	require.False(t, e.room.full())
	group.Go(func() { _, _ = e.ask(t.Context(), 1) })
	soon(t, "four wait", e.room.full)
	_, err = e.ask(t.Context(), 1)
	require.ErrorIs(t, err, errBusy)
	close(gate)
	group.Wait()
	got, err := e.ask(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, []float64{10}, got)
	e.close()
}

// TestFailureIsNotItsNeighbours: an image that fails, or makes the computation panic, fails alone.
func TestFailureIsNotItsNeighbours(t *testing.T) {
	gate, began, bad := make(chan struct{}), make(chan struct{}, 10), errors.New("bad image")
	e := newEngine(t, &room{most: 10}, 4, func(x []float32) ([]float64, error) {
		began <- struct{}{}
		<-gate
		for _, v := range x {
			switch v {
			case 13:
				return nil, bad
			case 14:
				panic("worse image")
			}
		}
		return double(x)
	})
	e.start(1)
	var group sync.WaitGroup
	for i, v := range []float32{0, 1, 13, 2, 14} {
		if i == 1 {
			<-began // the first image runs alone; the others will be one batch
		}
		soon(t, fmt.Sprint(i, " wait"), func() bool { return len(e.queue) == max(0, i-1) })
		group.Go(func() {
			got, err := e.ask(t.Context(), v)
			switch v {
			case 13:
				require.ErrorIs(t, err, bad)
			case 14:
				require.ErrorContains(t, err, "worse image")
			default:
				require.NoError(t, err)
				require.Equal(t, []float64{2 * float64(v)}, got)
			}
		})
	}
	soon(t, "all wait", func() bool { return len(e.queue) == 4 })
	require.EqualValues(t, 5, e.room.taken.Load())
	close(gate)
	group.Wait()
	e.close()
	require.Zero(t, e.room.taken.Load())
}

// TestDeadline: a request whose time is over is answered at once. Its image is not computed, and its place becomes free
// when the image's turn comes.
func TestDeadline(t *testing.T) {
	gate, began := make(chan struct{}), make(chan struct{}, 2)
	var seen []float32
	e := newEngine(t, &room{most: 10}, 1, func(x []float32) ([]float64, error) {
		seen = append(seen, x...)
		began <- struct{}{}
		<-gate
		return double(x)
	})
	e.start(1)
	var group sync.WaitGroup
	group.Go(func() { _, _ = e.ask(t.Context(), 1) })
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := e.ask(ctx, 2)
		answered <- err
	}()
	soon(t, "it waits", func() bool { return len(e.queue) == 1 })
	cancel()
	require.ErrorIs(t, <-answered, context.Canceled)
	require.EqualValues(t, 2, e.room.taken.Load())
	close(gate)
	group.Wait()
	e.close()
	require.Equal(t, []float32{1}, seen)
	require.Zero(t, e.room.taken.Load())
}
