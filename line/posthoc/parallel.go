package posthoc

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// forEachBlock splits [0, n) into blocks of at most size elements and processes them on several goroutines. Each
// goroutine calls start once, for a function that may own scratch memory, and then calls that function for block
// after block. When ctx ends it stops between blocks and returns ctx's error.
func forEachBlock(ctx context.Context, n, size, workers int, start func() func(lo, hi int)) error {
	blocks := (n + size - 1) / size
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(workers, blocks) {
		group.Go(func() error {
			run := start()
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				b := int(next.Add(1)) - 1
				if b >= blocks {
					return nil
				}
				run(b*size, min(n, (b+1)*size))
			}
		})
	}
	return group.Wait()
}
