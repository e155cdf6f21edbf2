package npyz

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// descrOf returns the NumPy type string of written data, always little-endian.
func descrOf(data any) (string, error) {
	switch d := data.(type) {
	case []float32:
		return "<f4", nil
	case []float64:
		return "<f8", nil
	case []int64:
		return "<i8", nil
	case []int32:
		return "<i4", nil
	case []uint8:
		return "|u1", nil
	case []bool:
		return "|b1", nil
	case []string:
		width, err := textWidth(d)
		return fmt.Sprintf("<U%d", width), err
	}
	return "", fmt.Errorf("element type %T is not supported", data)
}

// textWidth returns the number of code points in the longest string, at least 1, as NumPy counts them.
func textWidth(texts []string) (int, error) {
	width := 1
	for i, s := range texts {
		if !utf8.ValidString(s) {
			return 0, fmt.Errorf("element %d is not valid UTF-8", i)
		}
		if strings.HasSuffix(s, "\x00") {
			return 0, fmt.Errorf("element %d ends with a NUL, which NumPy drops", i)
		}
		width = max(width, utf8.RuneCountInString(s))
	}
	if width > maxTextSize/4 {
		return 0, fmt.Errorf("expected text of at most %d characters, got %d", maxTextSize/4, width)
	}
	return width, nil
}

// writeArray writes header and data.
func writeArray(w io.Writer, a Array) error {
	if err := a.validate(); err != nil {
		return err
	}
	descr, err := descrOf(a.Data)
	if err != nil {
		return err
	}
	if _, err := w.Write(appendHeader(nil, descr, a.Shape)); err != nil {
		return err
	}
	return writeData(w, a.Data)
}

// writeData writes the elements of a supported slice.
func writeData(w io.Writer, data any) error {
	switch d := data.(type) {
	case []float32:
		return encode(w, d, 4, func(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) })
	case []float64:
		return encode(w, d, 8, func(b []byte, v float64) { binary.LittleEndian.PutUint64(b, math.Float64bits(v)) })
	case []int64:
		return encode(w, d, 8, func(b []byte, v int64) { binary.LittleEndian.PutUint64(b, uint64(v)) })
	case []int32:
		return encode(w, d, 4, func(b []byte, v int32) { binary.LittleEndian.PutUint32(b, uint32(v)) })
	case []uint8:
		_, err := w.Write(d)
		return err
	case []bool:
		return encode(w, d, 1, func(b []byte, v bool) {
			b[0] = 0
			if v {
				b[0] = 1
			}
		})
	case []string:
		return writeText(w, d)
	}
	return fmt.Errorf("element type %T is not supported", data)
}

func encode[T Element](w io.Writer, src []T, size int, put func([]byte, T)) error {
	chunk := chunkBytes / size
	buf := make([]byte, min(len(src), chunk)*size)
	for len(src) > 0 {
		n := min(len(src), chunk)
		for i, v := range src[:n] {
			put(buf[i*size:(i+1)*size], v)
		}
		if _, err := w.Write(buf[:n*size]); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

func writeText(w io.Writer, texts []string) error {
	width, err := textWidth(texts)
	if err != nil {
		return err
	}
	cell := make([]byte, 4*width)
	for _, s := range texts {
		clear(cell)
		i := 0
		for _, r := range s {
			binary.LittleEndian.PutUint32(cell[i:], uint32(r))
			i += 4
		}
		if _, err := w.Write(cell); err != nil {
			return err
		}
	}
	return nil
}
