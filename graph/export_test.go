package graph

import (
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
