package onnx

import (
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

func exportSoftmax(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		a, ok := s.Attributes.(graph.SoftmaxStep)
		if !ok {
			return errNotDescribed
		}
		return plain(operator, integer("axis", a.Axis))(e, s, nil, name)
	}
}

// exportReduce writes a reduction. A reshape removes reduced axes, or puts them in their place in the result.
func exportReduce(e *exporter, s graph.Step, shape []int, name string) error {
	r, ok := s.Attributes.(graph.ReduceStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	in := []string{x}
	attributes := func(keep int) []*pb.AttributeProto {
		return []*pb.AttributeProto{integers("axes", r.Axes...), integer("keepdims", keep)}
	}
	if s.Kind == "ReduceSum" { // in this opset, the only reduction whose axes are an input
		in = append(in, e.ints(name+".axes", r.Axes...))
		attributes = func(keep int) []*pb.AttributeProto { return []*pb.AttributeProto{integer("keepdims", keep)} }
	}
	kept, left := reducedShapes(e.free(s.Inputs[0]), r.Axes)
	switch {
	case slices.Equal(kept, shape):
		e.node(s.Kind, name, in, attributes(1)...)
		return nil
	case slices.Equal(left, shape):
		e.node(s.Kind, name, in, attributes(0)...)
		return nil
	}
	return e.reshape(e.inner(s.Kind, in, attributes(1)...), shape, name)
}

// reducedShapes returns the shape with the reduced axes of length one, and the shape without them.
func reducedShapes(shape, axes []int) (kept, left []int) {
	reduced := map[int]bool{}
	for _, a := range axes {
		reduced[a] = true
	}
	for i, n := range shape {
		if reduced[i] {
			kept = append(kept, 1)
			continue
		}
		kept, left = append(kept, n), append(left, n)
	}
	return kept, left
}
