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

// Options says how pictures run through a network. The zero value is a good choice; results depend on Graph.Precision
// alone.
type Options struct {
	// Graph says how the network is compiled; only Batch, Workers, Device and Precision matter.
	Graph graph.Options
	// Progress, if not nil, is told how many pictures of a stage are done. It is called from several goroutines, but
	// never by two at once.
	Progress func(stage string, done, total int)
	// MaxMemory bounds what pictures that are being decoded take together, see [dataset.BatchOptions]; 0 means its
	// default.
	MaxMemory int64
}

func (o Options) graph() graph.Options {
	return graph.Options{Batch: o.Graph.Batch, Workers: o.Graph.Workers, Device: o.Graph.Device,
		Precision: o.Graph.Precision}
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

// Images streams a set, preprocessed, in batches that keep all workers of a program busy. Errors name the stage;
// pictures count as done when their batch is released.
func Images(ctx context.Context, stage string, set dataset.Dataset, p nets.Preprocessing, o Options) graph.Batches {
	const together = 1 << 21 // values in a batch of large images
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
