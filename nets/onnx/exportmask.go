package onnx

import (
	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// Masks are numbers in a graph and booleans in ONNX. A mask is written in both forms; prune removes the form that is
// not used at the end.

// truth returns the name of a mask as booleans.
func (e *exporter) truth(v *graph.Operand) (string, error) {
	if name := e.masks[v]; name != "" {
		return name, nil
	}
	x, err := e.use(v)
	if err != nil {
		return "", err
	}
	e.masks[v] = e.inner("Cast", []string{x}, integer("to", int(pb.TensorProto_BOOL)))
	return e.masks[v], nil
}

// mask adds an operator with a boolean result, and the result as numbers with the given name.
func (e *exporter) mask(operator string, in []string, result *graph.Operand, name string) {
	e.masks[result] = e.inner(operator, in)
	e.node("Cast", name, []string{e.masks[result]}, integer("to", int(pb.TensorProto_FLOAT)))
}

func exportCompare(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		in, err := e.useAll(s.Inputs...)
		if err != nil {
			return err
		}
		e.mask(operator, in, s.Output, name)
		return nil
	}
}

func exportLogic(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		in := make([]string, len(s.Inputs))
		for i, v := range s.Inputs {
			var err error
			if in[i], err = e.truth(v); err != nil {
				return err
			}
		}
		e.mask(operator, in, s.Output, name)
		return nil
	}
}

func exportWhere(e *exporter, s graph.Step, _ []int, name string) error {
	mask, err := e.truth(s.Inputs[0])
	if err != nil {
		return err
	}
	in, err := e.useAll(s.Inputs[1:]...)
	if err != nil {
		return err
	}
	e.node("Where", name, append([]string{mask}, in...))
	return nil
}
