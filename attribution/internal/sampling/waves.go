package sampling

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// waveLength is the number of chunks that each worker computes between two merges.
const waveLength = 16

// Slots is the number of chunks that can be in progress at once.
func Slots(workers int) int { return workers * waveLength }

// InWaves computes chunks from..to-1 on several goroutines and merges them in ascending order on the caller's.
// compute(worker, chunk, slot) leaves its result in the slot, one of Slots(workers); no two concurrent calls share a
// worker or a slot. When a chunk fails, or ctx ends, the chunks before it are still merged. It returns the number of
// chunks merged, a prefix of the range, and the error of the first chunk that is missing.
func InWaves(ctx context.Context, workers, from, to int, compute func(worker, chunk, slot int) error,
	merge func(chunk, slot int) error) (int, error) {
	errs := make([]error, Slots(workers))
	done := 0
	for from+done < to {
		first := from + done
		count := min(Slots(workers), to-first)
		var next atomic.Int64
		work := func(worker int) {
			for {
				slot := int(next.Add(1)) - 1
				if slot >= count {
					return
				}
				if errs[slot] = ctx.Err(); errs[slot] == nil {
					errs[slot] = compute(worker, first+slot, slot)
				}
			}
		}
		if w := min(workers, count); w == 1 {
			work(0)
		} else {
			var group sync.WaitGroup
			for i := range w {
				group.Go(func() { work(i) })
			}
			group.Wait()
		}
		for slot := range count {
			if errs[slot] != nil {
				return done, errs[slot]
			}
			if err := merge(first+slot, slot); err != nil {
				return done, err
			}
			done++
		}
	}
	return done, nil
}

// Interrupted reports whether the error is the end of ctx rather than a failure of the game.
func Interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// inParallel calls f(i) once for every i in [0, n) on several goroutines. The calls must not touch the same memory.
func inParallel(workers, n int, f func(i int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}
