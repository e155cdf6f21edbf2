package graph

import (
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Tripwire returns x through an operation that calls trip before each run, for tests of what happens when an operation
// fails or panics.
func Tripwire(x *G.Node, trip func(first float64) error) (*G.Node, error) {
	return floatOp("Tripwire", x.Shape(), []*G.Node{x}, nil, nil, tripwire[float32](trip), tripwire[float64](trip))
}

func tripwire[T kernel.Float](trip func(first float64) error) func(*call[T]) error {
	return func(c *call[T]) error {
		if err := trip(float64(c.in[0].data[0])); err != nil {
			return err
		}
		return copyRun(c)
	}
}

// Reads tells whether an input of some replica has x itself as its memory.
func (p *Program) Reads(x []float32) bool {
	for _, r := range p.replicas {
		for n := range r.b.shareds {
			if v := n.Value(); v != nil {
				if data, ok := v.Data().([]float32); ok && &data[0] == &x[0] {
					return true
				}
			}
		}
	}
	return false
}

// Allocations returns, by operation name, how many objects goline's operations allocate in a run after the first.
func (p *Program) Allocations() map[string]float64 {
	found := map[string]float64{}
	for _, n := range p.replicas[0].order {
		o, ok := n.Op().(*op)
		if !ok {
			continue
		}
		var in []G.Value
		for _, child := range children(n) {
			in = append(in, child.Value())
		}
		found[o.name] = max(found[o.name], testing.AllocsPerRun(20, func() {
			if _, err := o.Do(in...); err != nil {
				panic(err)
			}
		}))
	}
	return found
}
