package npyz

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// dtype is an array's element type in the file.
type dtype struct {
	kind  reflect.Kind // of the stored element; String for text
	half  bool         // IEEE half precision, which Go has no kind for
	utf32 bool         // text of 4-byte code points (numpy U); otherwise bytes (numpy S)
	size  int          // bytes per element
	order binary.ByteOrder
}

// maxTextSize is the largest size in bytes of one text element: npyz strings are names and small documents.
const maxTextSize = 1 << 26

// parseDtype parses a NumPy type string such as "<f4", "|b1" or ">U12".
func parseDtype(s string) (dtype, error) {
	if s == "" {
		return dtype{}, fmt.Errorf("dtype is empty")
	}
	order, rest := binary.ByteOrder(binary.LittleEndian), s // "=" or no order: native, here little-endian
	switch s[0] {
	case '<', '=', '|':
		rest = s[1:]
	case '>':
		order, rest = binary.BigEndian, s[1:]
	}
	switch {
	case rest == "f2":
		return dtype{kind: reflect.Float32, half: true, size: 2, order: order}, nil
	case strings.HasPrefix(rest, "U"), strings.HasPrefix(rest, "S"), strings.HasPrefix(rest, "a"):
		return textDtype(s, rest, order)
	case strings.HasPrefix(rest, "O"):
		return dtype{}, fmt.Errorf("dtype %q: arrays of Python objects are not supported", s)
	}
	kind, ok := kinds[rest]
	if !ok {
		return dtype{}, fmt.Errorf("dtype %q is not supported", s)
	}
	return dtype{kind: kind, size: int(rest[1] - '0'), order: order}, nil
}

// kinds maps the letter and the size in NumPy's type strings to Go types, for numbers and booleans.
var kinds = map[string]reflect.Kind{
	"b1": reflect.Bool,
	"u1": reflect.Uint8, "u2": reflect.Uint16, "u4": reflect.Uint32, "u8": reflect.Uint64,
	"i1": reflect.Int8, "i2": reflect.Int16, "i4": reflect.Int32, "i8": reflect.Int64,
	"f4": reflect.Float32, "f8": reflect.Float64,
}

func textDtype(s, rest string, order binary.ByteOrder) (dtype, error) {
	n, err := strconv.ParseUint(rest[1:], 10, 32)
	unit := 1
	if rest[0] == 'U' {
		unit = 4
	}
	if err != nil || n > maxTextSize/uint64(unit) {
		return dtype{}, fmt.Errorf("dtype %q is not supported", s)
	}
	return dtype{kind: reflect.String, utf32: unit == 4, size: int(n) * unit, order: order}, nil
}

// HalfToFloat32 converts an IEEE 754 half-precision number. Every value is kept exactly, including NaN payloads.
func HalfToFloat32(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp := uint32(h >> 10 & 0x1f)
	frac := uint32(h & 0x3ff)
	switch exp {
	case 0: // zero and subnormal: frac * 2^-24 is exact
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
