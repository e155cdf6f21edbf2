package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"strconv"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/internal/npyz"
)

// external is the folder with the file's external data. A nil file system means that there is none.
type external struct{ fsys fs.FS }

// typeOf returns the element type, the shape and the number of elements of a tensor.
func typeOf(p *pb.TensorProto) (e elem, shape []int, n int, err error) {
	if e = elem(p.GetDataType()); !e.known() {
		return e, nil, 0, fmt.Errorf("expected floating-point numbers, integers or bool, got elements of %v", e)
	}
	if len(p.Dims) > maxRank {
		return e, nil, 0, fmt.Errorf("expected at most %d axes, got %d", maxRank, len(p.Dims))
	}
	shape = make([]int, len(p.Dims))
	for i, v := range p.Dims {
		if v < 0 || v > maxElements {
			return e, nil, 0, fmt.Errorf("shape %v: axis %d: expected 0 to %d elements, got %d", p.Dims, i, maxElements,
				v)
		}
		shape[i] = int(v)
	}
	n, err = sizeOf(shape)
	return e, shape, n, err
}

// tensor decodes a constant.
func (d *decoder) tensor(p *pb.TensorProto) (*constant, error) {
	e, shape, n, err := typeOf(p)
	if err != nil {
		return nil, err
	}
	if d.f != nil {
		d.f.elements += n
	}
	if p.Segment != nil {
		return nil, errors.New("expected a whole tensor, got one that is cut into segments")
	}
	if p.GetDataLocation() == pb.TensorProto_EXTERNAL {
		raw, err := d.external.read(p.ExternalData, int64(n)*int64(e.size()))
		if err != nil {
			return nil, fmt.Errorf("shape %v of %v: %w", shape, e, err)
		}
		return fromRaw(e, shape, raw)
	}
	if len(p.RawData) > 0 {
		if len(p.RawData) != n*e.size() {
			return nil, fmt.Errorf("shape %v of %v: expected %d bytes, got %d", shape, e, n*e.size(), len(p.RawData))
		}
		raw := p.RawData
		p.RawData = nil // frees memory that is not needed any more
		return fromRaw(e, shape, raw)
	}
	return fromFields(e, shape, n, p)
}

// fromRaw decodes little-endian data, which must have exactly the size of the tensor.
func fromRaw(e elem, shape []int, raw []byte) (*constant, error) {
	t := newConstant(e, shape...)
	le := binary.LittleEndian
	switch e {
	case elemFloat32:
		for i := range t.f32 {
			t.f32[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case elemFloat16:
		for i := range t.f32 {
			t.f32[i] = npyz.HalfToFloat32(le.Uint16(raw[2*i:]))
		}
	case elemBfloat16:
		for i := range t.f32 {
			t.f32[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case elemFloat64:
		for i := range t.f64 {
			t.f64[i] = math.Float64frombits(le.Uint64(raw[8*i:]))
		}
	default:
		for i := range t.i64 {
			switch e.size() {
			case 1:
				t.i64[i] = e.wrap(int64(raw[i]))
			case 2:
				t.i64[i] = e.wrap(int64(le.Uint16(raw[2*i:])))
			case 4:
				t.i64[i] = e.wrap(int64(le.Uint32(raw[4*i:])))
			case 8:
				t.i64[i] = int64(le.Uint64(raw[8*i:]))
			}
		}
	}
	return t, nil
}

// fromFields decodes data from the message field of the element type.
func fromFields(e elem, shape []int, n int, p *pb.TensorProto) (*constant, error) {
	var have int
	var at func(i int) int64
	switch e {
	case elemFloat32:
		have = len(p.FloatData)
	case elemFloat64:
		have = len(p.DoubleData)
	case elemInt64:
		v := p.GetInt64Data()
		have, at = len(v), func(i int) int64 { return v[i] }
	case elemUint32, elemUint64:
		v := p.GetUint64Data()
		have, at = len(v), func(i int) int64 { return int64(v[i]) }
	default:
		v := p.GetInt32Data()
		have, at = len(v), func(i int) int64 { return int64(v[i]) }
	}
	if have != n {
		return nil, fmt.Errorf("shape %v of %v: expected %d elements, got %d", shape, e, n, have)
	}
	t := newConstant(e, shape...)
	switch e {
	case elemFloat32:
		copy(t.f32, p.FloatData)
	case elemFloat64:
		copy(t.f64, p.DoubleData)
	case elemFloat16:
		for i := range t.f32 {
			t.f32[i] = npyz.HalfToFloat32(uint16(at(i)))
		}
	case elemBfloat16:
		for i := range t.f32 {
			t.f32[i] = math.Float32frombits(uint32(uint16(at(i))) << 16)
		}
	default:
		for i := range t.i64 {
			t.i64[i] = e.wrap(at(i))
		}
	}
	return t, nil
}

// read returns the bytes that entries refer to, after checking that they lie in the folder and inside the file.
func (x external) read(entries []*pb.StringStringEntryProto, want int64) ([]byte, error) {
	var location string
	offset, length := int64(0), want
	for _, e := range entries {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("external data: %s %q is no number", e.GetKey(), e.GetValue())
		}
	}
	clean := path.Clean(location)
	switch {
	case location == "":
		return nil, errors.New("external data: no location is given")
	case !filepath.IsLocal(filepath.FromSlash(location)) || !filepath.IsLocal(clean) || !fs.ValidPath(clean) ||
		clean == ".":
		return nil, fmt.Errorf("external data: location %q leaves the folder of the file", location)
	case x.fsys == nil:
		return nil, fmt.Errorf("external data: location %q, but there is no folder to read it from", location)
	case length != want:
		return nil, fmt.Errorf("external data %q: expected a length of %d, got %d", location, want, length)
	case offset < 0:
		return nil, fmt.Errorf("external data %q: expected an offset of at least 0, got %d", location, offset)
	}
	f, err := x.fsys.Open(clean)
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("external data %q is not a regular file", location)
	}
	if size := info.Size(); want > size || offset > size-want {
		return nil, fmt.Errorf("external data %q: expected %d bytes from offset %d, got a file of %d", location, want,
			offset, size)
	}
	out := make([]byte, want)
	if r, ok := f.(io.ReaderAt); ok {
		_, err = r.ReadAt(out, offset)
		if errors.Is(err, io.EOF) && want == 0 {
			err = nil
		}
	} else if _, err = io.CopyN(io.Discard, f, offset); err == nil {
		_, err = io.ReadFull(f, out)
	}
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	return out, nil
}
