package npyz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

const (
	// maxHeader is the largest size of the header text. NumPy itself refuses more than 10,000 characters by default.
	maxHeader = 1 << 16
	// headerAlign is the alignment of the data's start in files written by NumPy.
	headerAlign = 64
)

// magic is the start of every npy file.
const magic = "\x93NUMPY"

var errNotNpy = errors.New("not a NumPy array file (bad magic number)")

// Header describes the array in an npy file.
type Header struct {
	// Dtype is NumPy's type string, such as "<f4".
	Dtype string
	// Fortran says that the first axis is the fastest in the file.
	Fortran bool
	// Shape lists the axis lengths, outermost first.
	Shape []int
}

// IsUint8 tells whether the elements are unsigned bytes.
func (h Header) IsUint8() bool {
	dt, err := parseDtype(h.Dtype)
	return err == nil && dt.kind == reflect.Uint8
}

// ReadHeader reads up to the first byte of an array's data and returns the offset of that byte.
func ReadHeader(r io.Reader) (h Header, data int64, err error) {
	counted := &countingReader{r: r}
	h, err = readHeader(counted)
	return h, counted.n, err
}

func readHeader(r io.Reader) (Header, error) {
	var h Header
	var pre [8]byte
	if _, err := io.ReadFull(r, pre[:]); err != nil {
		if err == io.EOF {
			return h, fmt.Errorf("file is empty: %w", io.ErrUnexpectedEOF)
		}
		return h, truncated(err, "header")
	}
	if string(pre[:6]) != magic {
		return h, errNotNpy
	}
	var size uint32
	switch pre[6] {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return h, truncated(err, "header")
		}
		size = uint32(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return h, truncated(err, "header")
		}
		size = binary.LittleEndian.Uint32(b[:])
	default:
		return h, fmt.Errorf("npy format version %d.%d is not supported", pre[6], pre[7])
	}
	if size > maxHeader {
		return h, fmt.Errorf("header: expected at most %d bytes, got %d", maxHeader, size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, truncated(err, "header")
	}
	if err := parseHeader(string(text), &h); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

// truncated turns an unexpected end of the file into an error that says so. Other errors stay as they are.
func truncated(err error, what string) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%s is cut off: %w", what, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// parseHeader parses the Python dictionary {'descr': str, 'fortran_order': bool, 'shape': tuple}, with its keys in any
// order.
func parseHeader(text string, h *Header) error {
	p := literal{rest: text}
	if err := p.expect('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for !p.accept('}') {
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("key %q comes twice", key)
		}
		seen[key] = true
		if err := p.expect(':'); err != nil {
			return err
		}
		switch key {
		case "descr":
			if p.accept('[') {
				return errors.New("structured arrays are not supported")
			}
			h.Dtype, err = p.str()
		case "fortran_order":
			h.Fortran, err = p.boolean()
		case "shape":
			h.Shape, err = p.tuple()
		default:
			return fmt.Errorf("key %q is unknown", key)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if !p.accept(',') {
			if err := p.expect('}'); err != nil {
				return err
			}
			break
		}
	}
	if p.skip(); p.rest != "" {
		return fmt.Errorf("text after the dictionary: %.20q", p.rest)
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return fmt.Errorf("key %q is missing", key)
		}
	}
	return nil
}

// literal parses the few kinds of Python literals that headers contain.
type literal struct{ rest string }

func (p *literal) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *literal) accept(c byte) bool {
	p.skip()
	if p.rest != "" && p.rest[0] == c {
		p.rest = p.rest[1:]
		return true
	}
	return false
}

func (p *literal) expect(c byte) error {
	if !p.accept(c) {
		return fmt.Errorf("expected %q at %.20q", c, p.rest)
	}
	return nil
}

func (p *literal) str() (string, error) {
	p.skip()
	if p.rest == "" || (p.rest[0] != '\'' && p.rest[0] != '"') {
		return "", fmt.Errorf("expected a string at %.20q", p.rest)
	}
	end := strings.IndexByte(p.rest[1:], p.rest[0])
	if end < 0 {
		return "", fmt.Errorf("string without end at %.20q", p.rest)
	}
	s := p.rest[1 : 1+end]
	if strings.ContainsAny(s, "\\\n") {
		return "", fmt.Errorf("unexpected character in string %.20q", s)
	}
	p.rest = p.rest[end+2:]
	return s, nil
}

func (p *literal) boolean() (bool, error) {
	p.skip()
	for _, b := range []bool{true, false} {
		word := "False"
		if b {
			word = "True"
		}
		if rest, ok := strings.CutPrefix(p.rest, word); ok {
			p.rest = rest
			return b, nil
		}
	}
	return false, fmt.Errorf("expected True or False at %.20q", p.rest)
}

// tuple parses "()", "(3,)", "(2, 3)" and so on. Python 2 wrote an L behind long integers.
func (p *literal) tuple() ([]int, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	out := []int{}
	for !p.accept(')') {
		if len(out) == maxDims {
			return nil, fmt.Errorf("more than %d axes", maxDims)
		}
		p.skip()
		end := 0
		for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(p.rest[:end])
		if err != nil {
			return nil, fmt.Errorf("expected an axis length at %.20q", p.rest)
		}
		p.rest = strings.TrimPrefix(p.rest[end:], "L")
		out = append(out, n)
		if !p.accept(',') {
			if len(out) == 1 {
				return nil, errors.New("expected a tuple, got a number in brackets")
			}
			if err := p.expect(')'); err != nil {
				return nil, err
			}
			break
		}
	}
	return out, nil
}

// appendHeader appends a version 1.0 header, padded as NumPy pads it.
func appendHeader(dst []byte, descr string, shape []int) []byte {
	var tuple strings.Builder
	for i, d := range shape {
		if i > 0 {
			tuple.WriteString(", ")
		}
		tuple.WriteString(strconv.Itoa(d))
	}
	if len(shape) == 1 {
		tuple.WriteByte(',')
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple.String())
	const before = 10                                     // magic, version and length
	pad := headerAlign - (before+len(text)+1)%headerAlign // 1 for the line end
	text += strings.Repeat(" ", pad%headerAlign) + "\n"   // at most 64 axes of 20 digits: far below 65536 bytes
	dst = append(append(dst, magic...), 1, 0)             // version 1.0
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(text)))
	return append(dst, text...)
}
