package graph

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// A mask is a node with the element type of the nodes that it is computed from: 1 where a condition holds, 0 elsewhere.
// Operations that read a mask take every number but 0 as true. Masks have no gradient.

// Less returns the mask of a < b. Shapes broadcast.
func Less(a, b *G.Node) (*G.Node, error) {
	return maskOp("Less", a, b, func(a, b float32) bool { return a < b }, func(a, b float64) bool { return a < b })
}

// LessOrEqual returns the mask of a <= b. Shapes broadcast.
func LessOrEqual(a, b *G.Node) (*G.Node, error) {
	return maskOp("LessOrEqual", a, b, func(a, b float32) bool { return a <= b },
		func(a, b float64) bool { return a <= b })
}

// Equal returns the mask of a = b, which NaN never is. Shapes broadcast.
func Equal(a, b *G.Node) (*G.Node, error) {
	return maskOp("Equal", a, b, func(a, b float32) bool { return a == b }, func(a, b float64) bool { return a == b })
}

// And returns the mask that is 1 where both masks a and b hold. Shapes broadcast.
func And(a, b *G.Node) (*G.Node, error) {
	return maskOp("And", a, b, func(a, b float32) bool { return a != 0 && b != 0 },
		func(a, b float64) bool { return a != 0 && b != 0 })
}

// Or returns the mask that is 1 where mask a or mask b or both hold. Shapes broadcast.
func Or(a, b *G.Node) (*G.Node, error) {
	return maskOp("Or", a, b, func(a, b float32) bool { return a != 0 || b != 0 },
		func(a, b float64) bool { return a != 0 || b != 0 })
}

// Xor returns the mask that is 1 where exactly one of the masks a and b holds. Shapes broadcast.
func Xor(a, b *G.Node) (*G.Node, error) {
	return maskOp("Xor", a, b, func(a, b float32) bool { return (a != 0) != (b != 0) },
		func(a, b float64) bool { return (a != 0) != (b != 0) })
}

// Not returns the mask that is 1 where the given mask does not hold.
func Not(mask *G.Node) (*G.Node, error) {
	return broadcastOp("Not", []*G.Node{mask}, nil, nil, notRuns[float32], notRuns[float64])
}

func notRuns[T kernel.Float](out []T, in [][]T) {
	for i, v := range in[0] {
		out[i] = 0
		if v == 0 {
			out[i] = 1
		}
	}
}

func maskOp(name string, a, b *G.Node, f32 func(a, b float32) bool, f64 func(a, b float64) bool) (*G.Node, error) {
	return broadcastOp(name, []*G.Node{a, b}, nil, nil, anywhere(oneIf(f32)), anywhere(oneIf(f64)))
}

func oneIf[T kernel.Float](f func(a, b T) bool) func(a, b T) T {
	return func(a, b T) T {
		if f(a, b) {
			return 1
		}
		return 0
	}
}

// Where returns a where the mask holds and b elsewhere. Shapes broadcast.
func Where(mask, a, b *G.Node) (*G.Node, error) {
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 3)
		if need[1] {
			if gs[1], err = broadcastOp("Where'a", []*G.Node{in[0], grad}, nil, nil, whereDA[float32],
				whereDA[float64]); err != nil {
				return nil, err
			}
		}
		if need[2] {
			gs[2], err = broadcastOp("Where'b", []*G.Node{in[0], grad}, nil, nil, whereDB[float32], whereDB[float64])
		}
		return gs, err
	}
	return broadcastOp("Where", []*G.Node{mask, a, b}, []bool{false, true, true}, grad, whereRuns[float32],
		whereRuns[float64])
}

func whereRuns[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		if at(in[0], i) != 0 {
			out[i] = at(in[1], i)
		} else {
			out[i] = at(in[2], i)
		}
	}
}

func whereDA[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		out[i] = 0
		if at(in[0], i) != 0 {
			out[i] = at(in[1], i)
		}
	}
}

func whereDB[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		out[i] = 0
		if at(in[0], i) == 0 {
			out[i] = at(in[1], i)
		}
	}
}
