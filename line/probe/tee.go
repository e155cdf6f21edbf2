package probe

import (
	"sync"

	"github.com/line-ood/goline/graph"
)

// tee keeps the images that enter a program until the program's outputs for them come out, in the same order.
type tee struct {
	mu   sync.Mutex
	kept []float32
	size int // number of values of one image
}

// watch returns the stream, and keeps copies of its images if keep is set.
func (t *tee) watch(images graph.Batches, keep bool) graph.Batches {
	if !keep {
		return images
	}
	return func(yield func(graph.Batch, error) bool) {
		for b, err := range images {
			if err == nil && b.N > 0 {
				t.mu.Lock()
				t.size = len(b.X) / b.N
				t.kept = append(t.kept, b.X...)
				t.mu.Unlock()
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// next removes and returns the oldest n images, [image, …]. The caller may keep the result.
func (t *tee) next(n int) []float32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.kept[: n*t.size : n*t.size]
	t.kept = append([]float32(nil), t.kept[n*t.size:]...)
	return x
}
