package onnx

import (
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// This file exports the operations of LINe (Ahn et al., CVPR 2023, sections 3.2 and 3.3) and of the energy score.

// exportClip writes min(x, limit). A limit per neuron gets the shape of a sample.
func exportClip(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	limit := s.Inputs[1]
	if product(limit.Shape) > 1 {
		in[1] = e.reshaped(in[1], limit, s.Inputs[0].Shape[1:]...)
	} else {
		in[1] = e.reshaped(in[1], limit, 1)
	}
	e.node("Min", name, in)
	return nil
}

// exportClassClip writes min(x, limit[class]).
func exportClassClip(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	limit := e.inner("Gather", []string{in[1], in[2]}, integer("axis", 0))
	e.node("Min", name, []string{in[0], limit})
	return nil
}

// exportLogSumExp writes max + log Σ exp(x - max), which does not overflow.
func exportLogSumExp(e *exporter, s graph.Step, _ []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	axes := integers("axes", 1)
	most := e.inner("ReduceMax", []string{x}, axes, integer("keepdims", 1))
	sum := e.inner("ReduceSum", []string{
		e.inner("Exp", []string{e.inner("Sub", []string{x, most})}), e.ints(name+".axes", 1),
	}, integer("keepdims", 0))
	most = e.inner("Squeeze", []string{most, e.ints(name+".squeezed", 1)})
	e.node("Add", name, []string{e.inner("Log", []string{sum}), most})
	return nil
}

// exportClassMask writes x · table[class]. A table of zeros and ones is written as bytes.
func exportClassMask(e *exporter, s graph.Step, _ []int, name string) error {
	table, err := values(s.Inputs[1])
	if err != nil {
		return err
	}
	in, err := e.useAll(s.Inputs[0], s.Inputs[2])
	if err != nil {
		return err
	}
	x, class := in[0], in[1]
	var mask string
	if slices.ContainsFunc(table, func(v float32) bool { return v != 0 && v != 1 }) {
		if mask, err = e.use(s.Inputs[1]); err != nil {
			return err
		}
		mask = e.inner("Gather", []string{mask, class}, integer("axis", 0))
	} else {
		bits := make([]byte, len(table))
		for i, v := range table {
			bits[i] = byte(v)
		}
		mask = e.inner("Gather", []string{e.bytes(s.Inputs[1].Name, bits, s.Inputs[1].Shape...), class},
			integer("axis", 0))
		mask = e.inner("Cast", []string{mask}, integer("to", int(pb.TensorProto_FLOAT)))
	}
	e.node("Mul", name, []string{x, mask})
	return nil
}

// exportRouted writes the head whose weights depend on the class. The weights of a sample, [classes, features], are
// selected when the file runs, so that no table of classes × classes × features is stored.
func exportRouted(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	z, weight, bias, contribution, threshold, class := in[0], in[1], in[2], in[3], in[4], in[5]
	row := e.ints(name+".row", 1)
	last := e.ints(name+".last", 2)
	both := e.ints(name+".both", 1, 2)
	first := integer("axis", 0)
	c := e.inner("Unsqueeze", []string{e.inner("Gather", []string{contribution, class}, first), row})
	t := e.inner("Unsqueeze", []string{e.inner("Gather", []string{threshold, class}, first), both})
	keep := e.inner("Greater", []string{e.inner("Mul", []string{c, weight}), t}) // [batch, classes, features]
	kept := e.inner("Where", []string{keep, weight, e.floats(name+".zero", []float32{0})})
	y := e.inner("MatMul", []string{kept, e.inner("Unsqueeze", []string{z, last})}) // [batch, classes, 1]
	e.node("Add", name, []string{e.inner("Squeeze", []string{y, last}), bias})
	return nil
}
