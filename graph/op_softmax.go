package graph

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Softmax returns exp(x - LSE(x)) over the classes of x [batch, classes], of the shape of x. LSE is [LogSumExp].
func Softmax(x *G.Node) (*G.Node, error) {
	if err := wantDims("Softmax", 2, x); err != nil {
		return nil, err
	}
	return onCard(rowsCard("softmax_f32", 0))(floatOp("Softmax", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
			return onCard(rowsCard("softmax_grad_f32", 0))(floatOp("Softmax'", x.Shape(), []*G.Node{grad, out}, nil,
				nil, softmaxDX[float32], softmaxDX[float64]))
		}), rowsRun(kernel.Softmax[float32]), rowsRun(kernel.Softmax[float64])))
}

// LogSoftmax returns x - LSE(x) over the classes of x [batch, classes], of the shape of x. LSE is [LogSumExp].
func LogSoftmax(x *G.Node) (*G.Node, error) {
	if err := wantDims("LogSoftmax", 2, x); err != nil {
		return nil, err
	}
	return onCard(rowsCard("log_softmax_f32", 0))(floatOp("LogSoftmax", x.Shape(), []*G.Node{x}, first(1),
		same(func(_ G.Nodes, out, grad *G.Node) (*G.Node, error) {
			return onCard(rowsCard("log_softmax_grad_f32", 0))(floatOp("LogSoftmax'", x.Shape(), []*G.Node{grad, out},
				nil, nil, logSoftmaxDX[float32], logSoftmaxDX[float64]))
		}), rowsRun(kernel.LogSoftmax[float32]), rowsRun(kernel.LogSoftmax[float64])))
}

// LogSumExp returns log Σ_k exp(x[n, k]) for x [batch, classes]: [batch]. It is the negative free energy at temperature
// 1 (Liu et al., NeurIPS 2020, equation 4).
func LogSumExp(x *G.Node) (*G.Node, error) {
	if err := wantDims("LogSumExp", 2, x); err != nil {
		return nil, err
	}
	return onCard(rowsCard("log_sum_exp_f32", 0))(floatOp("LogSumExp", tensor.Shape{x.Shape()[0]}, []*G.Node{x},
		first(1),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return onCard(rowsCard("log_sum_exp_grad_f32", 1))(floatOp("LogSumExp'", x.Shape(), []*G.Node{grad, in[0]},
				nil, nil, logSumExpDX[float32], logSumExpDX[float64]))
		}), rowsRun(kernel.LogSumExp[float32]), rowsRun(kernel.LogSumExp[float64])))
}

// rowsRun makes a run function from a kernel on the rows of an n × k matrix.
func rowsRun[T kernel.Float](f func(dst, src []T, n, k int)) func(*call[T]) error {
	return func(c *call[T]) error {
		x := c.in[0]
		f(c.out.data, contiguous(x, c.workspace), x.n, x.size)
		return nil
	}
}

func softmaxDX[T kernel.Float](c *call[T]) error {
	return perSample(c, func(dx []T, in [][]T) {
		dy, p := in[0], in[1]
		dot := kernel.Dot(dy, p)
		for j := range dx {
			dx[j] = p[j] * (dy[j] - dot)
		}
	})
}

func logSoftmaxDX[T kernel.Float](c *call[T]) error {
	return perSample(c, func(dx []T, in [][]T) {
		dy, logp := in[0], in[1]
		var sum T
		for _, g := range dy {
			sum += g
		}
		for j := range dx {
			dx[j] = dy[j] - T(math.Exp(float64(logp[j])))*sum
		}
	})
}

// logSumExpDX computes the softmax from x alone, because exp(x - LSE) would carry over the rounding of a large LSE.
func logSumExpDX[T kernel.Float](c *call[T]) error {
	return perSample(c, func(dx []T, in [][]T) {
		dy, x := in[0], in[1]
		kernel.Softmax(dx, x, 1, len(x))
		kernel.Scale(dx, dx, dy[0])
	})
}
