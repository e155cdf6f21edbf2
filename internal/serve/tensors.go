package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// prefixed puts a place in front of an error's message and keeps its status.
func prefixed(err error, format string, args ...any) error {
	var f *failure
	if errors.As(err, &f) {
		return &failure{f.status, fmt.Errorf(format+"%w", append(args, f.err)...)}
	}
	return badRequest(format+"%w", append(args, err)...)
}

// floats32 reads count little-endian float32.
func floats32(b []byte, count int) ([]float32, error) {
	if len(b) != 4*count {
		return nil, badRequest("expected %d numbers in %d bytes by the shape, got %d bytes", count, 4*count, len(b))
	}
	x := make([]float32, count)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x, nil
}

// floats64 reads count little-endian float64 and rounds them to float32.
func floats64(b []byte, count int) ([]float32, error) {
	if len(b) != 8*count {
		return nil, badRequest("expected %d numbers in %d bytes by the shape, got %d bytes", count, 8*count, len(b))
	}
	x := make([]float32, count)
	for i := range x {
		x[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return x, nil
}

// byteStrings reads n byte strings, each after its length in four bytes.
func byteStrings(b []byte, n int) ([][]byte, error) {
	var out [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, badRequest("element %d is cut off", len(out))
		}
		size := int(binary.LittleEndian.Uint32(b))
		out = append(out, b[4:4+size])
		if b = b[4+size:]; len(out) > n {
			break
		}
	}
	if len(out) != n {
		return nil, badRequest("expected %d elements by the shape, got %d or more", n, len(out))
	}
	return out, nil
}

// parseNumbers reads count numbers from valid JSON: a flat array, or arrays nested according to shape, in row-major
// order.
func parseNumbers[T float32 | uint8](data []byte, shape []int, count int) ([]T, error) {
	p := numbers[T]{data: bytes.TrimSpace(data), most: count}
	// A number takes at least two bytes of JSON, so a false shape cannot allocate much memory.
	p.out = make([]T, 0, min(count, len(data)/2+1))
	nested := len(shape) > 1 && bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(p.data, []byte("["))), []byte("["))
	var err error
	if nested {
		err = p.array(shape)
	} else {
		err = p.array([]int{count})
	}
	if err != nil {
		return nil, badRequest("data: %w", err)
	}
	return p.out, nil
}

// numbers parses JSON that is known to be valid.
type numbers[T float32 | uint8] struct {
	data []byte
	at   int
	most int
	out  []T
}

// next returns the next byte that is not white space, 0 at the end.
func (p *numbers[T]) next() byte {
	for ; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// array reads an array of the given shape.
func (p *numbers[T]) array(shape []int) error {
	if p.next() != '[' {
		return fmt.Errorf("expected arrays of shape %v, got something else at number %d", shape, len(p.out))
	}
	p.at++
	for n := 0; ; n++ {
		if p.next() == ']' && n == 0 {
			return fmt.Errorf("expected arrays of shape %v, got an empty one at number %d", shape, len(p.out))
		}
		if n == shape[0] {
			return fmt.Errorf("expected %d elements in an array, got more at number %d", shape[0], len(p.out))
		}
		var err error
		if len(shape) > 1 {
			err = p.array(shape[1:])
		} else {
			err = p.number()
		}
		if err != nil {
			return err
		}
		switch c := p.next(); c {
		case ',':
			p.at++
		case ']':
			if p.at++; n+1 != shape[0] {
				return fmt.Errorf("expected %d elements in an array, got %d before number %d", shape[0], n+1,
					len(p.out))
			}
			return nil
		default:
			return fmt.Errorf("expected a comma or the array's end at number %d", len(p.out))
		}
	}
}

func (p *numbers[T]) number() error {
	p.next()
	end := p.at
	for end < len(p.data) && p.data[end] != ',' && p.data[end] != ']' && p.data[end] > ' ' {
		end++
	}
	text := string(p.data[p.at:end])
	p.at = end
	var v T
	switch any(v).(type) {
	case float32:
		f, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return fmt.Errorf("number %d: expected a float32, got %.40q", len(p.out), text)
		}
		v = T(f)
	case uint8:
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return fmt.Errorf("number %d: expected 0 to 255, got %.40q", len(p.out), text)
		}
		v = T(n)
	}
	p.out = append(p.out, v)
	return nil
}
