package weights

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/line-ood/goline/graph"
)

// Target is a network that weights can be loaded into.
type Target interface {
	// Params lists all parameters and buffers.
	Params() []*graph.Param
}

// LoadInto reads the file at path and loads it into t. Errors name the path; see [Read] and [Load].
func LoadInto(t Target, path string) error {
	sd, err := Read(path)
	return load(t, sd, path, err)
}

// LoadFrom is [LoadInto] for the first size bytes of r. name stands for a path in errors; see [ReadFrom].
func LoadFrom(t Target, r io.ReaderAt, size int64, name string) error {
	sd, err := ReadFrom(r, size, name)
	return load(t, sd, name, err)
}

// load loads sd into t, unless err, the error of reading it, is not nil. name stands for the path in errors.
func load(t Target, sd *StateDict, name string, err error) error {
	if err != nil {
		return err
	}
	if err := Load(t.Params(), sd); err != nil {
		return fmt.Errorf("load weights %s: %w", name, err)
	}
	return nil
}

// counterName is the last part of the names of batch norm's step counters, which inference does not need.
const counterName = "num_batches_tracked"

func isCounter(name string) bool {
	return name == counterName || strings.HasSuffix(name, "."+counterName)
}

// Load copies the tensors of sd into the parameters of the same names. All names and shapes must agree, and no element
// may be NaN or infinite. Otherwise the error is a [*MismatchError], in which errors.Is finds [ErrMismatch], that lists
// every disagreement, and no parameter is changed. Integers are accepted if float32 holds them exactly. Only batch
// norm's step counters (*.num_batches_tracked) may be missing on either side.
func Load(params []*graph.Param, sd *StateDict) error {
	var bad MismatchError
	type pair struct {
		dst    []float32
		src    Tensor
		scalar *graph.Param // set if dst is not the parameter's own memory
	}
	var pairs []pair
	wanted := make(map[string]bool, len(params))
	for _, p := range params {
		dst, err := backing(p)
		if err != nil {
			return err
		}
		if wanted[p.Name] {
			return fmt.Errorf("the network has two parameters %q", p.Name)
		}
		wanted[p.Name] = true
		t, ok := sd.Get(p.Name)
		switch {
		case !ok && isCounter(p.Name):
		case !ok:
			bad.Missing = append(bad.Missing, p.Name)
		case !slices.Equal(p.Shape(), t.Shape):
			bad.Misshapen = append(bad.Misshapen, ShapeMismatch{Name: p.Name, File: slices.Clone(t.Shape),
				Want: p.Shape()})
		case !finite(t.F32):
			bad.NonFinite = append(bad.NonFinite, p.Name)
		case !exact(t.I64):
			bad.Inexact = append(bad.Inexact, p.Name)
		default:
			next := pair{dst: dst, src: t}
			if p.Value.IsScalar() {
				next.scalar = p
			}
			pairs = append(pairs, next)
		}
	}
	for t := range sd.All() {
		if !wanted[t.Name] && !isCounter(t.Name) {
			bad.Unexpected = append(bad.Unexpected, t.Name)
		}
	}
	if bad.sort(); !bad.empty() {
		return &bad
	}
	for _, p := range pairs {
		copy(p.dst, p.src.F32)
		for i, v := range p.src.I64 {
			p.dst[i] = float32(v)
		}
		if p.scalar != nil {
			if err := p.scalar.Value.Memset(p.dst[0]); err != nil {
				return fmt.Errorf("parameter %q: %w", p.scalar.Name, err)
			}
		}
	}
	return nil
}

// FromParams returns the values of params in order, in the form that [Write] takes. The tensors share the parameters'
// memory. It is an error if a name occurs twice, or if a parameter is not a contiguous float32 tensor.
func FromParams(params []*graph.Param) (*StateDict, error) {
	sd := &StateDict{}
	for _, p := range params {
		data, err := backing(p)
		if err != nil {
			return nil, err
		}
		if v, ok := p.Value.Data().(float32); ok {
			data[0] = v
		}
		if err := sd.Add(Tensor{Name: p.Name, Shape: p.Shape(), F32: data}); err != nil {
			return nil, err
		}
	}
	return sd, nil
}

// backing returns the memory of a parameter, after checking everything that copying relies on. The memory of a scalar
// cannot be accessed; for it backing returns another slice of one element.
func backing(p *graph.Param) ([]float32, error) {
	if p == nil || p.Value == nil {
		return nil, fmt.Errorf("the network has a parameter without a value")
	}
	if _, ok := p.Value.Data().(float32); ok && p.Value.IsScalar() {
		return make([]float32, 1), nil
	}
	dst, ok := p.Value.Data().([]float32)
	n, err := elements(p.Shape())
	if !ok || err != nil || len(dst) != n || p.Value.IsScalar() || p.Value.RequiresIterator() {
		return nil, fmt.Errorf("parameter %v is not a contiguous float32 tensor", p)
	}
	return dst, nil
}

func finite(data []float32) bool {
	for _, v := range data {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 { // all exponent bits: infinite or NaN
			return false
		}
	}
	return true
}

func exact(data []int64) bool {
	for _, v := range data {
		if f := float32(v); f >= math.MaxInt64 || int64(f) != v {
			return false
		}
	}
	return true
}
