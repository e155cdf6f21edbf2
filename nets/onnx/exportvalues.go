package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
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

func text(name, value string) *pb.AttributeProto {
	return &pb.AttributeProto{Name: name, Type: pb.AttributeProto_STRING, S: []byte(value)}
}

// floats adds an initialiser of float32 and returns its name.
func (e *exporter) floats(name string, values []float32, shape ...int) string {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return e.initializer(name, pb.TensorProto_FLOAT, raw, shape)
}

// ints adds a one-dimensional initialiser of int64 and returns its name.
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

// filled returns the name of an initialiser of one repeated number. It is added once for each name, shape and number.
func (e *exporter) filled(name string, v float32, shape ...int) string {
	key := fmt.Sprint(name, shape)
	if e.fills[key] == "" {
		e.fills[key] = e.floats(name, slices.Repeat([]float32{v}, product(shape)), shape...)
	}
	return e.fills[key]
}

func (e *exporter) ones(shape ...int) string  { return e.filled("ones", 1, shape...) }
func (e *exporter) zeros(shape ...int) string { return e.filled("zeros", 0, shape...) }
