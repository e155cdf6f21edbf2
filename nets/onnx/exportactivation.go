package onnx

import (
	"errors"
	"math"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// activated adds an operator followed by an activation, whose result gets the given name.
func (e *exporter) activated(operator, name string, a graph.Activation, in []string,
	attributes ...*pb.AttributeProto) error {
	if a == graph.ActIdentity() {
		e.node(operator, name, in, attributes...)
		return nil
	}
	return e.activation(e.inner(operator, in, attributes...), name, a)
}

// exportActivation writes an activation that is an operation by itself.
func exportActivation(e *exporter, s graph.Step, _ []int, name string) error {
	a, ok := s.Attributes.(graph.Activation)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	return e.activation(x, name, a)
}

// activation adds a(x) with the given name.
func (e *exporter) activation(x, name string, a graph.Activation) error {
	p := a.Parameters()
	one := []string{x}
	times := func(factor float64) []string { return []string{x, e.number(factor)} }
	switch a.Name() {
	case "ReLU":
		e.node("Relu", name, one)
	case "ReLU6":
		e.node("Clip", name, []string{x, e.number(0), e.number(6)})
	case "Clamp":
		bounds := []string{x, "", ""}
		for i, v := range p {
			if !math.IsInf(v, 0) {
				bounds[i+1] = e.number(v)
			}
		}
		e.node("Clip", name, bounds)
	case "Sigmoid", "Tanh", "Softplus", "Softsign", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Erf", "Sin",
		"Cos",
		"Floor", "Ceil", "Round", "Sign":
		e.node(a.Name(), name, one)
	case "Square":
		e.node("Mul", name, []string{x, x})
	case "SiLU":
		e.node("Mul", name, []string{x, e.inner("Sigmoid", one)})
	case "Swish":
		e.node("Mul", name, []string{x, e.inner("Sigmoid", []string{e.inner("Mul", times(p[0]))})})
	case "HardSigmoid":
		e.node("HardSigmoid", name, one, float("alpha", p[0]), float("beta", p[1]))
	case "HardSwish":
		e.node("HardSwish", name, one)
	case "GELU": // x/2 · (1 + erf(x/√2))
		inner := e.inner("Add", []string{e.inner("Erf", []string{e.inner("Mul", times(math.Sqrt2/2))}), e.number(1)})
		e.node("Mul", name, []string{e.inner("Mul", times(0.5)), inner})
	case "GELUTanh": // x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
		cube := e.inner("Mul", []string{e.inner("Mul", []string{x, x}), x})
		sum := e.inner("Add", []string{x, e.inner("Mul", []string{cube, e.number(0.044715)})})
		inner := e.inner("Tanh", []string{e.inner("Mul", []string{sum, e.number(math.Sqrt(2 / math.Pi))})})
		e.node("Mul", name, []string{e.inner("Mul", times(0.5)), e.inner("Add", []string{inner, e.number(1)})})
	case "Mish":
		e.node("Mul", name, []string{x, e.inner("Tanh", []string{e.inner("Softplus", one)})})
	case "LeakyReLU":
		e.node("LeakyRelu", name, one, float("alpha", p[0]))
	case "ELU":
		e.node("Elu", name, one, float("alpha", p[0]))
	case "CELU":
		e.node("Celu", name, one, float("alpha", p[0]))
	case "SELU":
		e.node("Selu", name, one, float("alpha", p[0]), float("gamma", p[1]))
	default:
		return errors.New("it has no counterpart among the standard operators that are known here")
	}
	return nil
}

// number adds a single number as an initialiser.
func (e *exporter) number(v float64) string { return e.floats("number", []float32{float32(v)}) }
