package onnx

import (
	"fmt"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

func exportLinear(e *exporter, s graph.Step, _ []int, name string) error {
	x, w := s.Inputs[0], s.Inputs[1]
	if len(x.Shape) == 2 {
		return plain("Gemm", integer("transB", 1))(e, s, nil, name)
	}
	in, err := e.useAll(append([]*graph.Operand{x}, s.Inputs[2:]...)...)
	if err != nil {
		return err
	}
	weight, err := e.transposed(w)
	if err != nil {
		return err
	}
	if len(in) == 1 {
		e.node("MatMul", name, []string{in[0], weight})
		return nil
	}
	e.node("Add", name, []string{e.inner("MatMul", []string{in[0], weight}), in[1]})
	return nil
}

// transposed returns a matrix with its axes exchanged.
func (e *exporter) transposed(v *graph.Operand) (string, error) {
	if name := e.transposes[v]; name != "" {
		return name, nil
	}
	if v.Value == nil {
		x, err := e.use(v)
		if err != nil {
			return "", err
		}
		e.transposes[v] = e.inner("Transpose", []string{x}, integers("perm", 1, 0))
		return e.transposes[v], nil
	}
	x, err := values(v)
	if err != nil {
		return "", err
	}
	rows, columns := v.Shape[0], v.Shape[1]
	y := make([]float32, len(x))
	for i := range rows {
		for j := range columns {
			y[j*rows+i] = x[i*columns+j]
		}
	}
	e.transposes[v] = e.floats(v.Name, y, columns, rows)
	return e.transposes[v], nil
}

// exportMatMul gives the product of two vectors an axis, which it has in a graph.
func exportMatMul(e *exporter, s graph.Step, _ []int, name string) error {
	if len(s.Inputs[0].Shape) > 1 || len(s.Inputs[1].Shape) > 1 {
		return plain("MatMul")(e, s, nil, name)
	}
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	e.node("Reshape", name, []string{e.inner("MatMul", in), e.ints(name+".shape", 1)})
	return nil
}

func exportSoftmax(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		a, ok := s.Attributes.(graph.SoftmaxStep)
		if !ok {
			return errNotDescribed
		}
		return plain(operator, integer("axis", a.Axis))(e, s, nil, name)
	}
}

// exportReduce writes a reduction. Axes that are gone, or stand elsewhere in the result than in the input, are left to a reshape.
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
	if s.Kind == "ReduceSum" { // the only one whose axes are an input in this opset
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

// reducedShapes returns a shape with the axes of one element, and without them.
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

// reshape adds a reshape to a shape with -1 for what the batch decides.
func (e *exporter) reshape(x string, shape []int, name string) error {
	free := 0
	for _, n := range shape {
		if n < 0 {
			free++
		}
	}
	if free > 1 {
		return fmt.Errorf("%d axes of its result depend on the batch, expected one at most of %v", free, shape)
	}
	e.node("Reshape", name, []string{x, e.ints(name+".shape", shape...)})
	return nil
}
