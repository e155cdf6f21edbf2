package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Sub returns a - b, elementwise, for two nodes of one shape.
func Sub(a, b *G.Node) (*G.Node, error) {
	if a == nil {
		return nil, fmt.Errorf("Sub: input 0 is nil")
	}
	if err := wantShape("Sub", "input 1", b, a.Shape()...); err != nil {
		return nil, err
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = G.Nodes{grad, nil}
		if need[1] {
			gs[1], err = floatOp("Negate", grad.Shape(), []*G.Node{grad}, nil, nil, negateRun[float32], negateRun[float64])
		}
		return gs, err
	}
	return floatOp("Sub", a.Shape(), []*G.Node{a, b}, []bool{true, true}, grad, subRun[float32], subRun[float64])
}

func subRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) {
		for i, v := range in[0] {
			out[i] = v - in[1][i]
		}
	})
}

func negateRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) {
		for i, v := range in[0] {
			out[i] = -v
		}
	})
}
