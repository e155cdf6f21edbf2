package onnx

import "fmt"

// elem is an element type. Its value is that of ONNX's TensorProto.DataType.
type elem int

const (
	elemFloat32  elem = 1
	elemUint8    elem = 2
	elemInt8     elem = 3
	elemUint16   elem = 4
	elemInt16    elem = 5
	elemInt32    elem = 6
	elemInt64    elem = 7
	elemBool     elem = 9
	elemFloat16  elem = 10
	elemFloat64  elem = 11
	elemUint32   elem = 12
	elemUint64   elem = 13
	elemBfloat16 elem = 16
)

var elemNames = map[elem]string{
	elemFloat32: "float32", elemUint8: "uint8", elemInt8: "int8", elemUint16: "uint16", elemInt16: "int16",
	elemInt32: "int32",
	elemInt64: "int64", elemBool: "bool", elemFloat16: "float16", elemFloat64: "float64", elemUint32: "uint32",
	elemUint64:   "uint64",
	elemBfloat16: "bfloat16", 8: "string", 14: "complex64", 15: "complex128",
}

func (e elem) String() string {
	if s, ok := elemNames[e]; ok {
		return s
	}
	return fmt.Sprintf("data type %d", int(e))
}

// isFloat tells whether elements are floating-point numbers.
func (e elem) isFloat() bool {
	return e == elemFloat32 || e == elemFloat64 || e == elemFloat16 || e == elemBfloat16
}

// known tells whether tensors of this type are supported.
func (e elem) known() bool { return e.size() > 0 }

// size returns the number of bytes of an element in raw data, 0 for types that are not supported.
func (e elem) size() int {
	switch e {
	case elemUint8, elemInt8, elemBool:
		return 1
	case elemUint16, elemInt16, elemFloat16, elemBfloat16:
		return 2
	case elemFloat32, elemInt32, elemUint32:
		return 4
	case elemFloat64, elemInt64, elemUint64:
		return 8
	}
	return 0
}

// wrap reduces v to the range of an integer type as two's complement does. For bool the result is 0 or 1.
func (e elem) wrap(v int64) int64 {
	switch e {
	case elemUint8:
		return int64(uint8(v))
	case elemInt8:
		return int64(int8(v))
	case elemUint16:
		return int64(uint16(v))
	case elemInt16:
		return int64(int16(v))
	case elemInt32:
		return int64(int32(v))
	case elemUint32:
		return int64(uint32(v))
	case elemBool:
		if v != 0 {
			return 1
		}
	}
	return v
}
