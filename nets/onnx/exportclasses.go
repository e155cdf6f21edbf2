package onnx

import (
	"math"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// exportRunnerUp writes the index of the largest logit among the classes other than the given one.
func exportRunnerUp(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	classes := make([]int, s.Inputs[0].Shape[1])
	for i := range classes {
		classes[i] = i
	}
	own := e.inner("Equal", []string{e.column(in[1], name), e.ints(name+".classes", classes...)})
	others := e.inner("Where", []string{own, e.number(math.Inf(-1)), in[0]})
	e.node("ArgMax", name, []string{others}, integer("axis", 1), integer("keepdims", 0))
	return nil
}

// column returns a value [batch] as [batch, 1].
func (e *exporter) column(x, name string) string {
	return e.inner("Unsqueeze", []string{x, e.ints(name+".column", 1)})
}

func exportSelectClass(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	none := e.inner("Less", []string{in[0], e.ints(name+".zero", 0)})
	e.node("Where", name, []string{none, in[1], in[0]})
	return nil
}

// exportGather writes x[n, class[n]] for each sample n.
func exportGather(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	picked := e.inner("GatherElements", []string{in[0], e.column(in[1], name)}, integer("axis", 1))
	e.node("Squeeze", name, []string{picked, e.ints(name+".squeezed", 1)})
	return nil
}

// exportCrossEntropy writes -Σ target · log softmax(logits).
func exportCrossEntropy(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	log := e.inner("LogSoftmax", []string{in[0]}, integer("axis", 1))
	sum := e.inner("ReduceSum", []string{e.inner("Mul", []string{in[1], log}), e.ints(name+".axes", 1)},
		integer("keepdims", 0))
	e.node("Neg", name, []string{sum})
	return nil
}

// exportMix writes removed + mask[group] · (present - removed). Elements that belong to no group get mask 1.
func exportMix(e *exporter, s graph.Step, _ []int, name string) error {
	m, ok := s.Attributes.(graph.MixStep)
	if !ok {
		return errNotDescribed
	}
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	index, always := make([]int, len(m.Group)), make([]byte, len(m.Group))
	for i, g := range m.Group {
		index[i] = max(g, 0)
		if g == graph.AlwaysPresent {
			always[i] = 1
		}
	}
	mask := e.inner("Gather", []string{in[0], e.ints(name+".groups", index...)}, integer("axis", 1))
	present := e.initializer(name+".always", pb.TensorProto_BOOL, always, []int{len(always)})
	mask = e.inner("Where", []string{present, e.number(1), mask})
	shape := append([]int{-1}, s.Inputs[1].Shape[1:]...)
	mask = e.inner("Reshape", []string{mask, e.ints(name+".shape", shape...)})
	removed := in[2]
	if s.Kind == "MixRows" {
		row := e.inner("Cast", []string{in[3]}, integer("to", int(pb.TensorProto_INT64)))
		removed = e.inner("Gather", []string{removed, row}, integer("axis", 0))
	}
	change := e.inner("Mul", []string{mask, e.inner("Sub", []string{in[1], removed})})
	e.node("Add", name, []string{removed, change})
	return nil
}
