package npyz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	chunkBytes = 1 << 16
	// maxEmptyText is the largest size of an array of zero-width text, whose elements take no bytes in the file.
	maxEmptyText = 1 << 16
)

// readArray reads one array from its first byte. A limit other than -1 is the largest number of bytes that r can still
// give. With it, memory is allocated at once if the limit allows the array; without it, memory grows as data arrives.
func readArray(r io.Reader, limit int64) (Array, error) {
	counted := &countingReader{r: r}
	h, err := readHeader(counted)
	if err != nil {
		return Array{}, err
	}
	dt, err := parseDtype(h.Dtype)
	if err != nil {
		return Array{}, err
	}
	n, err := elements(h.Shape)
	if err != nil {
		return Array{}, err
	}
	if dt.size > 0 && n > math.MaxInt/dt.size {
		return Array{}, fmt.Errorf("shape %v has too many elements", h.Shape)
	}
	if dt.size == 0 && n > maxEmptyText {
		return Array{}, fmt.Errorf("%d elements of zero width", n)
	}
	if limit >= 0 {
		limit = max(0, limit-counted.n)
		if need := int64(n) * int64(dt.size); need > limit {
			return Array{}, fmt.Errorf("data is cut off: shape %v of dtype %s: expected %d bytes, got %d: %w",
				h.Shape, h.Dtype, need, limit, io.ErrUnexpectedEOF)
		}
	}
	src := source{r: r, n: n, exact: limit >= 0}
	data, err := src.data(dt)
	if err != nil {
		return Array{}, err
	}
	if h.Fortran {
		data = toRowMajor(data, h.Shape)
	}
	return Array{Shape: h.Shape, Data: data}, nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// source is a reader of n elements. exact says that r is known to hold them.
type source struct {
	r     io.Reader
	n     int
	exact bool
}

func (s source) data(dt dtype) (any, error) {
	o := dt.order
	switch dt.kind {
	case reflect.String:
		return s.text(dt)
	case reflect.Bool:
		return decode(s, 1, func(b []byte) bool { return b[0] != 0 })
	case reflect.Uint8:
		return decode(s, 1, func(b []byte) uint8 { return b[0] })
	case reflect.Int8:
		return decode(s, 1, func(b []byte) int32 { return int32(int8(b[0])) })
	case reflect.Uint16:
		return decode(s, 2, func(b []byte) int32 { return int32(o.Uint16(b)) })
	case reflect.Int16:
		return decode(s, 2, func(b []byte) int32 { return int32(int16(o.Uint16(b))) })
	case reflect.Uint32:
		return decode(s, 4, func(b []byte) int64 { return int64(o.Uint32(b)) })
	case reflect.Int32:
		return decode(s, 4, func(b []byte) int32 { return int32(o.Uint32(b)) })
	case reflect.Int64:
		return decode(s, 8, func(b []byte) int64 { return int64(o.Uint64(b)) })
	case reflect.Uint64:
		return s.uint64s(o)
	case reflect.Float64:
		return decode(s, 8, func(b []byte) float64 { return math.Float64frombits(o.Uint64(b)) })
	}
	switch {
	case dt.half:
		return decode(s, 2, func(b []byte) float32 { return HalfToFloat32(o.Uint16(b)) })
	case o == binary.LittleEndian: // by far the most frequent case: avoids a call through an interface
		return decode(s, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	}
	return decode(s, 4, func(b []byte) float32 { return math.Float32frombits(o.Uint32(b)) })
}

// decode reads s.n elements of size bytes each.
func decode[T Element](s source, size int, one func([]byte) T) ([]T, error) {
	chunk := chunkBytes / size
	first := min(s.n, chunk)
	if s.exact {
		first = s.n
	}
	out := make([]T, 0, first)
	buf := make([]byte, min(s.n, chunk)*size)
	for len(out) < s.n {
		b := buf[:min(s.n-len(out), chunk)*size]
		if got, err := io.ReadFull(s.r, b); err != nil {
			return nil, dataError(err, len(out)+got/size, s.n)
		}
		at, k := len(out), len(b)/size
		out = slices.Grow(out, k)[:at+k]
		for i := range k {
			out[at+i] = one(b[i*size : (i+1)*size])
		}
	}
	return out, nil
}

func dataError(err error, got, want int) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("data is cut off: %d of %d elements: %w", got, want, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("data: %w", err)
}

func (s source) uint64s(o binary.ByteOrder) ([]int64, error) {
	out, err := decode(s, 8, func(b []byte) int64 { return int64(o.Uint64(b)) })
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(out, func(v int64) bool { return v < 0 }); i >= 0 {
		return nil, fmt.Errorf("element %d is %d, which int64 does not hold", i, uint64(out[i]))
	}
	return out, nil
}

// text reads fixed-width strings, which NumPy pads with NUL characters.
func (s source) text(dt dtype) ([]string, error) {
	total := int64(s.n) * int64(dt.size)
	var raw bytes.Buffer // grows as data arrives
	if got, err := io.CopyN(&raw, s.r, total); err != nil {
		return nil, dataError(err, int(got)/max(1, dt.size), s.n)
	}
	out := make([]string, s.n)
	for i := range out {
		b := raw.Next(dt.size)
		if !dt.utf32 {
			out[i] = string(bytes.TrimRight(b, "\x00"))
			continue
		}
		text, err := decodeUTF32(b, dt.order)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		out[i] = text
	}
	return out, nil
}

func decodeUTF32(b []byte, o binary.ByteOrder) (string, error) {
	var sb strings.Builder
	for ; len(b) >= 4; b = b[4:] {
		r := rune(o.Uint32(b))
		if !utf8.ValidRune(r) {
			return "", errors.New("text is not valid Unicode")
		}
		sb.WriteRune(r)
	}
	return strings.TrimRight(sb.String(), "\x00"), nil
}

// toRowMajor reorders data stored with the first axis fastest.
func toRowMajor(data any, shape []int) any {
	switch d := data.(type) {
	case []float32:
		return transpose(d, shape)
	case []float64:
		return transpose(d, shape)
	case []int64:
		return transpose(d, shape)
	case []int32:
		return transpose(d, shape)
	case []uint8:
		return transpose(d, shape)
	case []bool:
		return transpose(d, shape)
	case []string:
		return transpose(d, shape)
	}
	return data
}

func transpose[T Element](src []T, shape []int) []T {
	if len(shape) < 2 || len(src) == 0 {
		return src
	}
	stride := make([]int, len(shape)) // strides of src
	step := 1
	for i, d := range shape {
		stride[i] = step
		step *= d
	}
	out := make([]T, len(src))
	index := make([]int, len(shape))
	from := 0
	for i := range out {
		out[i] = src[from]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			from += stride[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= index[axis] * stride[axis]
			index[axis] = 0
		}
	}
	return out
}
