package graph

import (
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Arithmetic of two nodes broadcasts by NumPy's rule: shapes are aligned at the last axis, and axes of one element, or
// missing ones, repeat. A gradient is summed over what was repeated.

// Add returns a + b: a residual connection, a bias. Shapes broadcast.
func Add(a, b *G.Node) (*G.Node, error) {
	grad := func(_ G.Nodes, _, grad *G.Node, _ []bool) (G.Nodes, error) { return G.Nodes{grad, grad}, nil }
	return broadcastRows("Add", []*G.Node{a, b}, all(2), grad, addRuns[float32], addRuns[float64],
		kernel.ShiftRows[float32], kernel.ShiftRows[float64])
}

func addRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.Shift(out, b, a[0])
	case len(b) < len(out):
		kernel.Shift(out, a, b[0])
	default:
		kernel.Add(out, a, b)
	}
}

// Sub returns a - b. Shapes broadcast.
func Sub(a, b *G.Node) (*G.Node, error) {
	grad := func(_ G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = G.Nodes{grad, nil}
		if need[1] {
			gs[1], err = negate(grad)
		}
		return gs, err
	}
	return broadcastOp("Sub", []*G.Node{a, b}, all(2), grad, subRuns[float32], subRuns[float64])
}

func subRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.SubFrom(out, a[0], b)
	case len(b) < len(out):
		kernel.Shift(out, a, -b[0])
	default:
		kernel.Sub(out, a, b)
	}
}

func negate(x *G.Node) (*G.Node, error) {
	return onCard(negateCard)(floatOp("Negate", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) { return negate(grad) }), negateRun[float32],
		negateRun[float64]))
}

func negateRun[T kernel.Float](c *call[T]) error {
	return perSample(c, func(out []T, in [][]T) {
		for i, v := range in[0] {
			out[i] = -v
		}
	})
}

// Mul returns a · b, elementwise: activation times gradient, activation times a mask, squeeze-and-excite. Shapes
// broadcast.
func Mul(a, b *G.Node) (*G.Node, error) {
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (G.Nodes, error) {
		gs := make(G.Nodes, 2)
		var err error
		for i := range gs {
			if need[i] && err == nil {
				gs[i], err = Mul(grad, in[1-i])
			}
		}
		return gs, err
	}
	return broadcastRows("Mul", []*G.Node{a, b}, all(2), grad, mulRuns[float32], mulRuns[float64],
		kernel.ScaleRows[float32], kernel.ScaleRows[float64])
}

func mulRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.Scale(out, b, a[0])
	case len(b) < len(out):
		kernel.Scale(out, a, b[0])
	default:
		kernel.Mul(out, a, b)
	}
}

// Div returns a / b, elementwise. Shapes broadcast.
func Div(a, b *G.Node) (*G.Node, error) {
	grad := func(in G.Nodes, out, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 2)
		if gs[0], err = Div(grad, in[1]); err != nil || !need[1] {
			return gs, err
		}
		g, err := Mul(gs[0], out)
		if err != nil {
			return nil, err
		}
		gs[1], err = negate(g)
		return gs, err
	}
	return broadcastOp("Div", []*G.Node{a, b}, all(2), grad, divRuns[float32], divRuns[float64])
}

func divRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.DivInto(out, a[0], b)
	case len(b) < len(out):
		kernel.DivBy(out, a, b[0])
	default:
		kernel.Div(out, a, b)
	}
}

// Pow returns a to the power of b, elementwise, with the special cases of math.Pow. Shapes broadcast. The gradient of a
// is b·a^(b-1), and 0 where b is 0; that of b is a^b·log(a), and 0 where a is 0 and b is not negative.
func Pow(a, b *G.Node) (*G.Node, error) {
	grad := func(in G.Nodes, out, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 2)
		if need[0] {
			if gs[0], err = broadcastOp("Pow'a", []*G.Node{grad, in[0], in[1]}, nil, nil, powDA[float32],
				powDA[float64]); err != nil {
				return nil, err
			}
		}
		if need[1] {
			gs[1], err = broadcastOp("Pow'b", []*G.Node{grad, in[0], in[1], out}, nil, nil, powDB[float32],
				powDB[float64])
		}
		return gs, err
	}
	return broadcastOp("Pow", []*G.Node{a, b}, all(2), grad, powRuns[float32], powRuns[float64])
}

func power[T kernel.Float](a, b T) T { return T(math.Pow(float64(a), float64(b))) }

func powRuns[T kernel.Float](out []T, in [][]T) {
	a, b := in[0], in[1]
	if len(b) > 1 || len(a) < len(out) {
		anywhere(power[T])(out, in)
		return
	}
	switch b[0] {
	case 2:
		kernel.Mul(out, a, a)
	case 3:
		for i, v := range a {
			w := float64(v)
			out[i] = T(w * w * w)
		}
	case 0.5:
		for i, v := range a {
			if v > 0 {
				out[i] = T(math.Sqrt(float64(v)))
			} else {
				out[i] = power(v, 0.5)
			}
		}
	default:
		anywhere(power[T])(out, in)
	}
}

func powDA[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		g, a, b := at(in[0], i), at(in[1], i), at(in[2], i)
		out[i] = 0
		if b != 0 {
			out[i] = g * b * power(a, b-1)
		}
	}
}

func powDB[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		g, a, b, y := at(in[0], i), at(in[1], i), at(in[2], i), at(in[3], i)
		out[i] = 0
		if a != 0 || b < 0 {
			out[i] = g * y * T(math.Log(float64(a)))
		}
	}
}

// Maximum returns the larger of a and b, elementwise, NaN where either is. Shapes broadcast. Where both are equal, each
// has half of the gradient, as in PyTorch.
func Maximum(a, b *G.Node) (*G.Node, error) {
	return broadcastOp("Maximum", []*G.Node{a, b}, all(2), extremeGrad("Maximum'", winnerGrad[float32],
		winnerGrad[float64]),
		maxRuns[float32], maxRuns[float64])
}

// Minimum returns the smaller of a and b, elementwise, NaN where either is. Shapes broadcast. Where both are equal,
// each has half of the gradient, as in PyTorch.
func Minimum(a, b *G.Node) (*G.Node, error) {
	return broadcastOp("Minimum", []*G.Node{a, b}, all(2), extremeGrad("Minimum'", loserGrad[float32],
		loserGrad[float64]),
		minRuns[float32], minRuns[float64])
}

func maxRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.AtLeast(out, b, a[0])
	case len(b) < len(out):
		kernel.AtLeast(out, a, b[0])
	default:
		kernel.Maximum(out, a, b)
	}
}

func minRuns[T kernel.Float](out []T, in [][]T) {
	switch a, b := in[0], in[1]; {
	case len(a) < len(out):
		kernel.AtMost(out, b, a[0])
	case len(b) < len(out):
		kernel.AtMost(out, a, b[0])
	default:
		kernel.Minimum(out, a, b)
	}
}

// extremeGrad is the gradient of a maximum or minimum. f32 and f64 take the output's gradient, the input in question
// and the other input.
func extremeGrad(name string, f32 elementFn[float32], f64 elementFn[float64]) gradient {
	return func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 2)
		for i := range gs {
			if need[i] && err == nil {
				gs[i], err = broadcastOp(name, []*G.Node{grad, in[i], in[1-i]}, nil, nil, f32, f64)
			}
		}
		return gs, err
	}
}

// winnerGrad passes the gradient where the input is larger than the other, or either is NaN, and half of it where both
// are equal.
func winnerGrad[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		out[i] = shareOf(at(in[0], i), at(in[1], i), at(in[2], i))
	}
}

// loserGrad passes the gradient where the input is smaller than the other, or either is NaN, and half of it where both
// are equal.
func loserGrad[T kernel.Float](out []T, in [][]T) {
	for i := range out {
		out[i] = shareOf(at(in[0], i), at(in[2], i), at(in[1], i))
	}
}

func shareOf[T kernel.Float](g, a, b T) T {
	switch {
	case a < b:
		return 0
	case a == b:
		return g / 2
	}
	return g
}
