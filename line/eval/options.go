package eval

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// Options says how pictures run through a network. The zero value is a good choice. Of all fields only
// Graph.Precision changes results.
type Options struct {
	// Graph says how the network is compiled; only Batch, Workers, Threads, Device and Precision
	// matter.
	Graph graph.Options
	// Progress, if not nil, is called with the number of pictures of a stage that are done. Calls come from several
	// goroutines, but one at a time.
	Progress func(stage string, done, total int)
	// MaxMemory bounds the memory of pictures that are being decoded, in bytes; see [dataset.BatchOptions]. 0 stands
	// for its default.
	MaxMemory int64
}

func (o Options) graph() graph.Options {
	return graph.Options{Batch: o.Graph.Batch, Workers: o.Graph.Workers, Threads: o.Graph.Threads,
		Device: o.Graph.Device, Precision: o.Graph.Precision}
}

func (o Options) workers() int {
	if o.Graph.Workers > 0 {
		return o.Graph.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// counter returns a function that counts done pictures of a stage.
func (o Options) counter(stage string, total int) func(n int) {
	if o.Progress == nil {
		return func(int) {}
	}
	var mu sync.Mutex
	done := 0
	o.Progress(stage, 0, total)
	return func(n int) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		o.Progress(stage, done, total)
	}
}

// Images streams a set, preprocessed, in batches that keep all workers of a program busy. Errors name the stage. A
// picture counts as done when its batch is released.
func Images(ctx context.Context, stage string, set dataset.Dataset, p nets.Preprocessing, o Options) graph.Batches {
	const together = 1 << 21 // the largest number of values in a batch of large images
	height, width := p.Size()
	batch, image := o.Graph.Batch, max(3*height*width, 1)
	if batch == 0 {
		batch = graph.BatchFor(image)
	}
	size := batch * o.workers()
	for size < 32 && 2*size*image <= together {
		size *= 2
	}
	batches := dataset.Batches(ctx, set, p, dataset.BatchOptions{Size: size, Workers: o.workers(),
		MaxMemory: o.MaxMemory})
	return func(yield func(graph.Batch, error) bool) {
		add := o.counter(stage, set.Len())
		for b, err := range batches {
			if err != nil {
				err = fmt.Errorf("%s: %w", stage, err)
			} else {
				n, release := b.N, b.Release
				b.Release = func() {
					add(n)
					if release != nil {
						release()
					}
				}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}
