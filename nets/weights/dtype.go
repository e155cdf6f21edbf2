package weights

import (
	"encoding/binary"
	"math"

	"github.com/line-ood/goline/internal/npyz"
)

// dtype says how elements are stored in a file and how to decode them. Exactly one of f32 and i64 is set.
type dtype struct {
	size int
	f32  func(o binary.ByteOrder, b []byte) float32
	i64  func(o binary.ByteOrder, b []byte) int64
}

var (
	float64Type = dtype{size: 8, f32: func(o binary.ByteOrder, b []byte) float32 {
		return float32(math.Float64frombits(o.Uint64(b)))
	}}
	float32Type = dtype{size: 4, f32: func(o binary.ByteOrder, b []byte) float32 {
		return math.Float32frombits(o.Uint32(b))
	}}
	float16Type = dtype{size: 2, f32: func(o binary.ByteOrder, b []byte) float32 {
		return npyz.HalfToFloat32(o.Uint16(b))
	}}
	bfloat16Type = dtype{size: 2, f32: func(o binary.ByteOrder, b []byte) float32 {
		return math.Float32frombits(uint32(o.Uint16(b)) << 16)
	}}
	int64Type  = dtype{size: 8, i64: func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint64(b)) }}
	int32Type  = dtype{size: 4, i64: func(o binary.ByteOrder, b []byte) int64 { return int64(int32(o.Uint32(b))) }}
	int16Type  = dtype{size: 2, i64: func(o binary.ByteOrder, b []byte) int64 { return int64(int16(o.Uint16(b))) }}
	int8Type   = dtype{size: 1, i64: func(_ binary.ByteOrder, b []byte) int64 { return int64(int8(b[0])) }}
	uint32Type = dtype{size: 4, i64: func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint32(b)) }}
	uint16Type = dtype{size: 2, i64: func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint16(b)) }}
	uint8Type  = dtype{size: 1, i64: func(_ binary.ByteOrder, b []byte) int64 { return int64(b[0]) }}
	boolType   = dtype{size: 1, i64: func(_ binary.ByteOrder, b []byte) int64 {
		if b[0] != 0 {
			return 1
		}
		return 0
	}}
)

// torchTypes maps PyTorch's storage classes to element types.
var torchTypes = map[string]dtype{
	"DoubleStorage": float64Type, "FloatStorage": float32Type, "HalfStorage": float16Type,
	"BFloat16Storage": bfloat16Type, "LongStorage": int64Type, "IntStorage": int32Type, "ShortStorage": int16Type,
	"CharStorage": int8Type, "ByteStorage": uint8Type, "BoolStorage": boolType,
}

// safetensorsTypes maps type names in safetensors headers to element types. U64 is left out: weights do not need it.
var safetensorsTypes = map[string]dtype{
	"F64": float64Type, "F32": float32Type, "F16": float16Type, "BF16": bfloat16Type,
	"I64": int64Type, "I32": int32Type, "I16": int16Type, "I8": int8Type,
	"U32": uint32Type, "U16": uint16Type, "U8": uint8Type, "BOOL": boolType,
}

// layout is the position of a tensor's elements in a storage, in units of elements.
type layout struct {
	offset        int
	shape, stride []int
}

// fill decodes the n elements at l in raw into t. The caller must have checked that all of them lie in raw.
func (dt dtype) fill(t *Tensor, raw []byte, o binary.ByteOrder, l layout, n int) {
	switch {
	case dt.i64 != nil:
		t.I64 = gather(raw, dt.size, l, n, func(b []byte) int64 { return dt.i64(o, b) })
	case dt.size == 4 && o == binary.LittleEndian: // the only type whose speed matters
		t.F32 = gather(raw, 4, l, n, func(b []byte) float32 {
			return math.Float32frombits(binary.LittleEndian.Uint32(b))
		})
	default:
		t.F32 = gather(raw, dt.size, l, n, func(b []byte) float32 { return dt.f32(o, b) })
	}
}

func gather[T any](raw []byte, size int, l layout, n int, one func([]byte) T) []T {
	out := make([]T, n)
	if n == 0 {
		return out
	}
	if l.contiguous() {
		raw = raw[l.offset*size:]
		for i := range out {
			out[i] = one(raw[i*size : (i+1)*size])
		}
		return out
	}
	index := make([]int, len(l.shape))
	at := l.offset
	for i := range out {
		out[i] = one(raw[at*size : (at+1)*size])
		for axis := len(l.shape) - 1; axis >= 0; axis-- {
			index[axis]++
			at += l.stride[axis]
			if index[axis] < l.shape[axis] {
				break
			}
			at -= index[axis] * l.stride[axis]
			index[axis] = 0
		}
	}
	return out
}

// contiguous reports whether the elements lie in row-major order without gaps.
func (l layout) contiguous() bool {
	step := 1
	for i := len(l.shape) - 1; i >= 0; i-- {
		if l.shape[i] != 1 && l.stride[i] != step {
			return false
		}
		step *= l.shape[i]
	}
	return true
}
