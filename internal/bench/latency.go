package bench

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/line-ood/goline/graph"
)

// Latency is how long single images take, in milliseconds, each from when it is handed over to its outputs.
type Latency struct {
	Images int     `json:"images"`
	P50    float64 `json:"p50_ms"`
	P90    float64 `json:"p90_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// newLatency returns the quantiles of some times, of at least one: the smallest time that no fewer than that share of
// all are within.
func newLatency(times []time.Duration) *Latency {
	sorted := slices.Sorted(slices.Values(times))
	at := func(percent int) float64 {
		i := (len(sorted)*percent+99)/100 - 1
		return float64(sorted[max(i, 0)].Nanoseconds()) / 1e6
	}
	return &Latency{Images: len(times), P50: at(50), P90: at(90), P99: at(99), Max: at(100)}
}

// timeSingly runs a program over so many of the images, each handed over when the one before is done, and appends how
// long each took to times.
func timeSingly(ctx context.Context, prog *graph.Program, s synthetic, images int,
	times []time.Duration) ([]time.Duration, error) {
	turn := make(chan struct{}, 1)
	stream := func(yield func(graph.Batch, error) bool) {
		for i := range images {
			select {
			case <-turn:
			case <-ctx.Done():
				return
			}
			if !yield(graph.Batch{X: s.images(i%syntheticImages, 1), N: 1}, nil) {
				return
			}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, stop := iter.Pull2(prog.Run(ctx, stream))
	defer stop()
	defer cancel() // before stop, lest it wait for an image that has no turn
	for range images {
		start := time.Now()
		turn <- struct{}{}
		_, err, ok := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ctx.Err()
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}
