package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// watched is embedded by functions that show each sample of their value to others, while it is in the processor's
// cache. Other operations that need sums over the value then need not read it for them.
type watched[T kernel.Float] struct {
	watchers []func(i, n int, sample []T)
}

// watch makes the function show its value each time it runs: sample i of n, in order.
func (w *watched[T]) watch(f func(i, n int, sample []T)) { w.watchers = append(w.watchers, f) }

// show shows samples [lo, hi) of a value.
func (w *watched[T]) show(value array[T], lo, hi int) {
	for _, f := range w.watchers {
		for i := lo; i < hi; i++ {
			f(i, value.n, value.sample(i))
		}
	}
}

// watch makes the operation of a node, if it can, show its value.
func watch[T kernel.Float](n *G.Node, f func(i, n int, sample []T)) {
	if o, ok := n.Op().(*op); ok {
		if w, ok := o.fn.(interface {
			watch(f func(i, n int, sample []T))
		}); ok {
			w.watch(f)
		}
	}
}

// attend lets the operations of a program on the processor watch each other.
func attend(order G.Nodes) {
	for _, n := range order {
		if o, ok := n.Op().(*op); ok {
			if a, ok := o.fn.(interface{ attend(in G.Nodes) }); ok {
				a.attend(o.in)
			}
		}
	}
}

// watchTogether is the number of elements up to which samples are computed before they are shown: 256 KiB.
const watchTogether = 1 << 16

// inParts calls compute and then show for some samples after the other.
func (w *watched[T]) inParts(value array[T], compute func(lo, hi int) error) error {
	step := value.n
	if len(w.watchers) > 0 {
		step = min(step, max(1, watchTogether/value.size))
	}
	for lo := 0; lo < value.n; lo += step {
		hi := min(lo+step, value.n)
		if err := compute(lo, hi); err != nil {
			return err
		}
		w.show(value, lo, hi)
	}
	return nil
}
