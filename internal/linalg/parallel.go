package linalg

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// forEach runs the tasks [0, n) on at most workers goroutines. Each goroutine calls start once, for a function that
// may own scratch memory, and then calls that function for task after task. Tasks begin in order.
func forEach(ctx context.Context, n, workers int, start func() func(task int)) error {
	if n == 0 {
		return ctx.Err()
	}
	if workers = min(max(workers, 1), n); workers == 1 {
		run := start()
		for i := range n {
			if err := ctx.Err(); err != nil {
				return err
			}
			run(i)
		}
		return ctx.Err()
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			run := start()
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				run(i)
			}
		})
	}
	return group.Wait()
}

// ceilDiv returns a / b rounded up.
func ceilDiv(a, b int) int { return (a + b - 1) / b }
