package graph

import (
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// The functions of this file are elementwise and return a node of the shape of x, which may be any. NaN stays NaN. At
// -Inf, functions that multiply x by a factor that vanishes there (SiLU, HardSwish, GELU, Mish) give NaN, as in
// PyTorch.

// Sigmoid returns σ(x) = 1/(1+e^-x).
func Sigmoid(x *G.Node) (*G.Node, error) { return Activate(x, ActSigmoid()) }

// SiLU returns x·σ(x) (Elfwing et al., Neural Networks 2018).
func SiLU(x *G.Node) (*G.Node, error) { return Activate(x, ActSiLU()) }

// Swish returns x·σ(alpha·x) (Ramachandran et al. 2017; ONNX operator Swish-24).
func Swish(x *G.Node, alpha float64) (*G.Node, error) { return Activate(x, ActSwish(alpha)) }

// HardSigmoid returns max(0, min(1, alpha·x+beta)) (ONNX operator HardSigmoid-6). PyTorch's hardsigmoid has alpha 1/6
// and beta 1/2, ONNX's defaults are 1/5 and 1/2. The derivative at the two kinks is 0.
func HardSigmoid(x *G.Node, alpha, beta float64) (*G.Node, error) {
	return Activate(x, ActHardSigmoid(alpha, beta))
}

// HardSwish returns x·max(0, min(1, x/6+1/2)) (Howard et al., ICCV 2019; ONNX operator HardSwish-14). Its derivative is
// 0 at -3 and 1 at 3.
func HardSwish(x *G.Node) (*G.Node, error) { return Activate(x, ActHardSwish()) }

// GELU returns x·Φ(x) with Φ the standard normal distribution, x·(1+erf(x/√2))/2 (Hendrycks & Gimpel 2016).
func GELU(x *G.Node) (*G.Node, error) { return Activate(x, ActGELU()) }

// GELUTanh returns the approximation of [GELU] by tanh, x·(1+tanh(√(2/π)·(x+0.044715x³)))/2 (Hendrycks & Gimpel 2016,
// section 2).
func GELUTanh(x *G.Node) (*G.Node, error) { return Activate(x, ActGELUTanh()) }

// Tanh returns the hyperbolic tangent.
func Tanh(x *G.Node) (*G.Node, error) { return Activate(x, ActTanh()) }

// Softplus returns log(1+e^x).
func Softplus(x *G.Node) (*G.Node, error) { return Activate(x, ActSoftplus()) }

// Mish returns x·tanh(log(1+e^x)) (Misra, BMVC 2020; ONNX operator Mish-18).
func Mish(x *G.Node) (*G.Node, error) { return Activate(x, ActMish()) }

// Softsign returns x/(1+|x|) (ONNX operator Softsign-1).
func Softsign(x *G.Node) (*G.Node, error) { return Activate(x, ActSoftsign()) }

// LeakyReLU returns x where x >= 0 and slope·x elsewhere. Its derivative at 0 is slope, as in PyTorch.
func LeakyReLU(x *G.Node, slope float64) (*G.Node, error) { return Activate(x, ActLeakyReLU(slope)) }

// ELU returns x where x > 0 and alpha·(e^x-1) elsewhere (Clevert et al., ICLR 2016).
func ELU(x *G.Node, alpha float64) (*G.Node, error) { return Activate(x, ActELU(alpha)) }

// CELU returns x where x > 0 and alpha·(e^(x/alpha)-1) elsewhere (Barron 2017; ONNX operator Celu-12). alpha must not
// be 0.
func CELU(x *G.Node, alpha float64) (*G.Node, error) { return Activate(x, ActCELU(alpha)) }

// SELU returns gamma·x where x > 0 and gamma·alpha·(e^x-1) elsewhere (Klambauer et al., NeurIPS 2017; ONNX operator
// Selu-6).
func SELU(x *G.Node, alpha, gamma float64) (*G.Node, error) {
	return Activate(x, ActSELU(alpha, gamma))
}

// Clamp returns min(max(x, lo), hi), which is hi everywhere if lo > hi (ONNX operator Clip-13). An infinite bound
// leaves its side open. The gradient passes where lo <= x <= hi, as in PyTorch. See [Clip] for a bound per neuron.
func Clamp(x *G.Node, lo, hi float64) (*G.Node, error) { return Activate(x, ActClamp(lo, hi)) }

// Exp returns e^x.
func Exp(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActExp, 0, 0)) }

// Log returns the natural logarithm: -Inf at 0, NaN below.
func Log(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActLog, 0, 0)) }

// Sqrt returns the square root: NaN below 0.
func Sqrt(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActSqrt, 0, 0)) }

// Reciprocal returns 1/x.
func Reciprocal(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActReciprocal, 0, 0)) }

// Abs returns |x|. Its derivative at 0 is 0.
func Abs(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActAbs, 0, 0)) }

// Neg returns -x.
func Neg(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActNeg, 0, 0)) }

// Erf returns the error function.
func Erf(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActErf, 0, 0)) }

// Sin returns the sine of x in radians.
func Sin(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActSin, 0, 0)) }

// Cos returns the cosine of x in radians.
func Cos(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActCos, 0, 0)) }

// Square returns x².
func Square(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActSquare, 0, 0)) }

// Floor returns the largest integer that is at most x. Its gradient is zero.
func Floor(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActFloor, 0, 0)) }

// Ceil returns the smallest integer that is at least x. Its gradient is zero.
func Ceil(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActCeil, 0, 0)) }

// Round returns the nearest integer, and the even one of two that are equally near (ONNX operator Round-11). Its
// gradient is zero.
func Round(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActRound, 0, 0)) }

// Sign returns -1, 0 or 1 (ONNX operator Sign-13). Its gradient is zero.
func Sign(x *G.Node) (*G.Node, error) { return unary(x, act(kernel.ActSign, 0, 0)) }

// unary adds an elementwise function. In [Program.Steps] its operator is the activation's name, and its attributes are
// the [Activation].
func unary(x *G.Node, a Activation) (*G.Node, error) {
	name := a.Name()
	if x == nil {
		return nil, fmt.Errorf("%s: expected an input, got nil", name)
	}
	if err := wantParameters(a.fn); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	grad := same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return onCard(unaryGradCard(a.fn))(floatOp(name+"'", x.Shape(), []*G.Node{grad, in[0]}, nil, nil,
			unaryGradRun[float32](a.fn), unaryGradRun[float64](a.fn)))
	})
	return explained(name, a)(onCard(unaryCard(a.fn))(floatOp(name, x.Shape(), []*G.Node{x}, first(1), grad,
		unaryRun[float32](a.fn), unaryRun[float64](a.fn))))
}

// wantParameters fails where a parameter of the function is NaN or out of range.
func wantParameters(a kernel.Activation) error {
	for _, p := range []float64{a.A, a.B} {
		if math.IsNaN(p) || a.Kind != kernel.ActClamp && math.IsInf(float64(float32(p)), 0) {
			return fmt.Errorf("parameters: expected finite numbers, got %v and %v", a.A, a.B)
		}
	}
	if a.Kind == kernel.ActCELU && math.IsInf(1/float64(float32(a.A)), 0) {
		return fmt.Errorf("alpha: expected a number other than zero, got %v", a.A)
	}
	return nil
}

func unaryRun[T kernel.Float](a kernel.Activation) func(*call[T]) error {
	return func(c *call[T]) error {
		return eachElement(c, func(out []T, in [][]T) { kernel.Activate(out, in[0], a) })
	}
}

func unaryGradRun[T kernel.Float](a kernel.Activation) func(*call[T]) error {
	return func(c *call[T]) error {
		return eachElement(c, func(out []T, in [][]T) { kernel.ActivateBackward(out, in[0], in[1], a) })
	}
}

// eachElement runs f on all elements at once where the samples are contiguous, and on each sample otherwise. It is for
// functions that treat every element alike, whatever the first axis is.
func eachElement[T kernel.Float](c *call[T], f func(out []T, in [][]T)) error {
	out, whole := c.out.flat()
	if c.args == nil {
		c.args = make([][]T, len(c.in))
	}
	for i, a := range c.in {
		var ok bool
		c.args[i], ok = a.flat()
		whole = whole && ok
	}
	if !whole {
		return perSample(c, f)
	}
	f(out, c.args)
	return nil
}
