package graph

import (
	"fmt"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Activation is an elementwise function that follows a layer, with its parameters. The functions named Act… return
// activations; the zero value is the identity. Activations can be compared with ==.
type Activation struct{ fn kernel.Activation }

func act(kind kernel.UnaryKind, a, b float64) Activation {
	return Activation{kernel.Activation{Kind: kind, A: a, B: b}}
}

// ActIdentity leaves x as it is.
func ActIdentity() Activation { return Activation{} }

// ActReLU is [ReLU].
func ActReLU() Activation { return act(kernel.ActReLU, 0, 0) }

// ActReLU6 is min(max(x, 0), 6). Its derivative at 0 and 6 is 0, as PyTorch's.
func ActReLU6() Activation { return act(kernel.ActReLU6, 0, 0) }

// ActClamp is [Clamp].
func ActClamp(lo, hi float64) Activation { return act(kernel.ActClamp, lo, hi) }

// ActSigmoid is [Sigmoid].
func ActSigmoid() Activation { return act(kernel.ActSigmoid, 0, 0) }

// ActSiLU is [SiLU].
func ActSiLU() Activation { return ActSwish(1) }

// ActSwish is [Swish].
func ActSwish(alpha float64) Activation { return act(kernel.ActSwish, alpha, 0) }

// ActHardSigmoid is [HardSigmoid].
func ActHardSigmoid(alpha, beta float64) Activation { return act(kernel.ActHardSigmoid, alpha, beta) }

// ActHardSwish is [HardSwish].
func ActHardSwish() Activation { return act(kernel.ActHardSwish, 0, 0) }

// ActGELU is [GELU].
func ActGELU() Activation { return act(kernel.ActGELU, 0, 0) }

// ActGELUTanh is [GELUTanh].
func ActGELUTanh() Activation { return act(kernel.ActGELUTanh, 0, 0) }

// ActTanh is [Tanh].
func ActTanh() Activation { return act(kernel.ActTanh, 0, 0) }

// ActSoftplus is [Softplus].
func ActSoftplus() Activation { return act(kernel.ActSoftplus, 0, 0) }

// ActMish is [Mish].
func ActMish() Activation { return act(kernel.ActMish, 0, 0) }

// ActSoftsign is [Softsign].
func ActSoftsign() Activation { return act(kernel.ActSoftsign, 0, 0) }

// ActLeakyReLU is [LeakyReLU].
func ActLeakyReLU(slope float64) Activation { return act(kernel.ActLeakyReLU, slope, 0) }

// ActELU is [ELU].
func ActELU(alpha float64) Activation { return act(kernel.ActELU, alpha, 0) }

// ActCELU is [CELU].
func ActCELU(alpha float64) Activation { return act(kernel.ActCELU, alpha, 0) }

// ActSELU is [SELU].
func ActSELU(alpha, gamma float64) Activation { return act(kernel.ActSELU, alpha, gamma) }

// Name returns the name of this package's function that adds the activation, for example "Clamp". There is no such
// function for "Identity" and "ReLU6".
func (a Activation) Name() string {
	if a == ActSiLU() {
		return "SiLU"
	}
	return a.fn.Kind.String()
}

// Parameters returns the parameters of the function, in the order of its arguments.
func (a Activation) Parameters() []float64 {
	if a == ActSiLU() {
		return nil
	}
	return []float64{a.fn.A, a.fn.B}[:a.fn.Kind.Parameters()]
}

// String names the function and, where it has any, its parameters: "Clamp(0, 6)".
func (a Activation) String() string {
	var s strings.Builder
	s.WriteString(a.Name())
	for i, p := range a.Parameters() {
		fmt.Fprintf(&s, "%s%v", [...]string{"(", ", "}[min(i, 1)], p)
	}
	if len(a.Parameters()) > 0 {
		s.WriteString(")")
	}
	return s.String()
}

// Activate returns a of x, elementwise, of the same shape as x: x itself for the identity. Parameters that are NaN, or
// infinite other than as bounds of a clamp, are an error.
func Activate(x *G.Node, a Activation) (*G.Node, error) {
	switch {
	case a == ActReLU():
		return ReLU(x)
	case a == ActIdentity() && x != nil:
		return x, nil
	}
	return unary(x, a)
}
