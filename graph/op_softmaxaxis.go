package graph

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// SoftmaxStep describes [SoftmaxAxis] and [LogSoftmaxAxis] along Axis, which is not negative.
type SoftmaxStep struct{ Axis int }

// SoftmaxAxis returns exp(x - LSE(x)) along an axis of x, of the shape of x, where LSE is log Σ exp along that axis. A
// negative axis counts from the end.
func SoftmaxAxis(x *G.Node, axis int) (*G.Node, error) {
	return alongAxis("SoftmaxAxis", x, axis, func(x *G.Node, axis, k int) (*G.Node, error) {
		return explained("SoftmaxAxis",
			SoftmaxStep{axis})(onCardFlat(flatRowsCard("softmax_f32", k))(floatOp("SoftmaxAxis", x.Shape(),
			[]*G.Node{x}, first(1),
			same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
				return onCardFlat(flatRowsCard("softmax_grad_f32", k))(floatOp("SoftmaxAxis'", grad.Shape(),
					[]*G.Node{grad, out}, nil, nil,
					rowsDX(k, softmaxRowDX[float32]), rowsDX(k, softmaxRowDX[float64])))
			}), rowsOf(k, kernel.SoftmaxRows[float32]), rowsOf(k, kernel.SoftmaxRows[float64]))))
	})
}

// LogSoftmaxAxis returns x - LSE(x) along an axis of x, of the shape of x, where LSE is log Σ exp along that axis. A
// negative axis counts from the end.
func LogSoftmaxAxis(x *G.Node, axis int) (*G.Node, error) {
	return alongAxis("LogSoftmaxAxis", x, axis, func(x *G.Node, axis, k int) (*G.Node, error) {
		return explained("LogSoftmaxAxis", SoftmaxStep{axis})(onCardFlat(flatRowsCard("log_softmax_f32",
			k))(floatOp("LogSoftmaxAxis", x.Shape(), []*G.Node{x}, first(1),
			same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
				return onCardFlat(flatRowsCard("log_softmax_grad_f32", k))(floatOp("LogSoftmaxAxis'", grad.Shape(),
					[]*G.Node{grad, out}, nil, nil,
					rowsDX(k, logSoftmaxRowDX[float32]), rowsDX(k, logSoftmaxRowDX[float64])))
			}), rowsOf(k, kernel.LogSoftmax[float32]), rowsOf(k, kernel.LogSoftmax[float64]))))
	})
}

// alongAxis applies an operation on rows of k elements along an axis of x. It moves the axis to the end and the
// result's back.
func alongAxis(name string, x *G.Node, axis int, op func(x *G.Node, axis, k int) (*G.Node, error)) (*G.Node, error) {
	if err := wantNode(name, x); err != nil {
		return nil, err
	}
	shape := x.Shape()
	a, err := wantAxis(name, axis, len(shape))
	if err != nil {
		return nil, err
	}
	if total(shape[a+1:]) == 1 {
		return op(x, a, shape[a])
	}
	swap := make([]int, len(shape))
	for i := range swap {
		swap[i] = i
	}
	last := len(shape) - 1
	swap[a], swap[last] = last, a
	if x, err = Transpose(x, swap...); err != nil {
		return nil, err
	}
	y, err := op(x, last, shape[a])
	if err != nil {
		return nil, err
	}
	return Transpose(y, swap...)
}

// rowsOf makes a run function, for an input of any shape, from a kernel on the rows of an n × k matrix.
func rowsOf[T kernel.Float](k int, f func(dst, src []T, n, k int)) func(*call[T]) error {
	return func(c *call[T]) error {
		x := c.flat(0)
		f(c.out.data, x, len(x)/k, k)
		return nil
	}
}

// rowsDX makes a run function from the gradient of one row. f takes the result's gradient and the result, k elements
// each.
func rowsDX[T kernel.Float](k int, f func(dx, dy, y []T)) func(*call[T]) error {
	return func(c *call[T]) error {
		dy, y := c.flat(0), c.flat(1)
		for at := 0; at < len(y); at += k {
			f(c.out.data[at:][:k], dy[at:][:k], y[at:][:k])
		}
		return nil
	}
}

func softmaxRowDX[T kernel.Float](dx, dy, p []T) {
	dot := kernel.Dot(dy, p)
	for j := range dx {
		dx[j] = p[j] * (dy[j] - dot)
	}
}

func logSoftmaxRowDX[T kernel.Float](dx, dy, logp []T) {
	var sum T
	for _, g := range dy {
		sum += g
	}
	for j := range dx {
		dx[j] = dy[j] - T(math.Exp(float64(logp[j])))*sum
	}
}

// rowsLogSumExp adds the operation log Σ exp over every k neighbouring elements of x. The result has shape to.
func rowsLogSumExp(name string, x *G.Node, to tensor.Shape, k int) (*G.Node, error) {
	return floatOp(name, to, []*G.Node{x}, first(1),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return floatOp(name+"'", in[0].Shape(), []*G.Node{grad, in[0]}, nil, nil, rowsLogSumExpDX[float32](k),
				rowsLogSumExpDX[float64](k))
		}), rowsOf(k, kernel.LogSumExp[float32]), rowsOf(k, kernel.LogSumExp[float64]))
}

func rowsLogSumExpDX[T kernel.Float](k int) func(*call[T]) error {
	return func(c *call[T]) error {
		dy, x, dx := c.flat(0), c.flat(1), c.out.data
		kernel.Softmax(dx, x, len(dy), k)
		for i, g := range dy {
			kernel.Scale(dx[i*k:][:k], dx[i*k:][:k], g)
		}
		return nil
	}
}

// rowsProd adds the operation that multiplies every k neighbouring elements of x. The result has shape to.
func rowsProd(name string, x *G.Node, to tensor.Shape, k int) (*G.Node, error) {
	return floatOp(name, to, []*G.Node{x}, first(1),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return floatOp(name+"'", in[0].Shape(), []*G.Node{grad, in[0]}, nil, nil, rowsProdDX[float32](k),
				rowsProdDX[float64](k))
		}), rowsOf(k, prodRows[float32]), rowsOf(k, prodRows[float64]))
}

func prodRows[T kernel.Float](dst, src []T, n, k int) {
	for i := range n {
		p := T(1)
		for _, v := range src[i*k:][:k] {
			p *= v
		}
		dst[i] = p
	}
}

// rowsProdDX computes the gradient by each element as the product of all elements before it and all behind it, so that
// zeros do no harm.
func rowsProdDX[T kernel.Float](k int) func(*call[T]) error {
	return func(c *call[T]) error {
		dy, x, dx := c.flat(0), c.flat(1), c.out.data
		for i, p := range dy {
			row, out := x[i*k:][:k], dx[i*k:][:k]
			for j, v := range row {
				out[j] = p
				p *= v
			}
			p = 1
			for j := k - 1; j >= 0; j-- {
				out[j] *= p
				p *= row[j]
			}
		}
		return nil
	}
}
