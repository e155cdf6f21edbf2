package npyz

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// dtype is an array's element type as it lies in the file.
type dtype struct {
	kind  reflect.Kind // of the stored element; String for text
	half  bool         // IEEE half precision, which Go has no kind for
	utf32 bool         // text of 4-byte code points (numpy U); otherwise bytes (numpy S)
	size  int          // bytes per element
	order binary.ByteOrder
}

// maxTextSize bounds the bytes of one text element: npyz strings are names and small documents.
const maxTextSize = 1 << 26

// parseDtype understands NumPy type strings such as "<f4", "|b1" or ">U12".
func parseDtype(s string) (dtype, error) {
	if s == "" {
		return dtype{}, fmt.Errorf("dtype is empty")
	}
	order, rest := binary.ByteOrder(binary.LittleEndian), s // "=" and a missing order mean native, here little
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
	var kind reflect.Kind
	if len(rest) == 2 { // a letter and a digit: longer forms are never written to files
		if t := npy.TypeFrom(rest); t != nil {
			kind = t.Kind()
		}
	}
	switch kind {
	case reflect.Bool, reflect.Uint8, reflect.Int8:
		return dtype{kind: kind, size: 1, order: order}, nil
	case reflect.Uint16, reflect.Int16:
		return dtype{kind: kind, size: 2, order: order}, nil
	case reflect.Uint32, reflect.Int32, reflect.Float32:
		return dtype{kind: kind, size: 4, order: order}, nil
	case reflect.Uint64, reflect.Int64, reflect.Float64:
		return dtype{kind: kind, size: 8, order: order}, nil
	}
	return dtype{}, fmt.Errorf("dtype %q is not supported", s)
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

// HalfToFloat32 widens an IEEE 754 half-precision number; every value, NaN payloads included, survives.
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
