package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

func integers(name string, values ...int) *pb.AttributeProto {
	a := &pb.AttributeProto{Name: name, Type: pb.AttributeProto_INTS}
	for _, v := range values {
		a.Ints = append(a.Ints, int64(v))
	}
	return a
}

func integer(name string, value int) *pb.AttributeProto {
	return &pb.AttributeProto{Name: name, Type: pb.AttributeProto_INT, I: int64(value)}
}

func float(name string, value float64) *pb.AttributeProto {
	return &pb.AttributeProto{Name: name, Type: pb.AttributeProto_FLOAT, F: float32(value)}
}

// floats adds an initialiser and returns its name.
func (e *exporter) floats(name string, values []float32, shape ...int) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return e.initializer(name, pb.TensorProto_FLOAT, raw, shape)
}

// ints adds an initialiser of whole numbers, one axis of them, and returns its name.
func (e *exporter) ints(name string, values ...int) string {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	return e.initializer(name, pb.TensorProto_INT64, raw, []int{len(values)})
}

// bytes adds an initialiser of unsigned bytes and returns its name.
func (e *exporter) bytes(name string, values []byte, shape ...int) string {
	return e.initializer(name, pb.TensorProto_UINT8, values, shape)
}

func (e *exporter) initializer(name string, kind pb.TensorProto_DataType, raw []byte, shape []int) string {
	t := &pb.TensorProto{Name: e.fresh(name), DataType: int32(kind), RawData: raw}
	for _, n := range shape {
		t.Dims = append(t.Dims, int64(n))
	}
	e.graph.Initializer = append(e.graph.Initializer, t)
	return t.Name
}

// values returns what a constant operand holds.
func values(v *graph.Operand) ([]float32, error) {
	if v.Value == nil {
		return nil, fmt.Errorf("%s is computed, expected a constant", described(v))
	}
	d, ok := v.Value.(*tensor.Dense)
	if !ok || d.Dtype() != tensor.Float32 || d.RequiresIterator() {
		return nil, fmt.Errorf("%s of type %v, expected float32", described(v), v.Dtype)
	}
	return d.Float32s(), nil
}

func described(v *graph.Operand) string {
	if v.Name == "" {
		return fmt.Sprintf("a value of shape %v", v.Shape)
	}
	return fmt.Sprintf("%s of shape %v", v.Name, v.Shape)
}

// use returns the name of an operand; a constant becomes an initialiser when it is first used.
func (e *exporter) use(v *graph.Operand) (string, error) {
	if name, ok := e.names[v]; ok {
		return name, nil
	}
	switch {
	case v.Input && (e.input == nil || e.input == v) && v.Dtype == tensor.Float32:
		e.input = v
		e.taken[inputName] = true
		e.names[v] = inputName
		return inputName, nil
	case v.Input:
		return "", fmt.Errorf("it reads %s beside the model's input", described(v))
	}
	x, err := values(v)
	if err != nil {
		return "", err
	}
	e.names[v] = e.floats(v.Name, x, v.Shape...)
	return e.names[v], nil
}

// useAll returns the names of operands.
func (e *exporter) useAll(vs ...*graph.Operand) ([]string, error) {
	names := make([]string, len(vs))
	for i, v := range vs {
		var err error
		if names[i], err = e.use(v); err != nil {
			return nil, err
		}
	}
	return names, nil
}
