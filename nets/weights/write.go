package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/npyz"
)

// Format is a file format for writing weights. Its text is the extension of the files, without the dot.
type Format string

// The formats for writing. Equal tensors give equal bytes, and [Read] returns the same bits in the same order.
const (
	// NPZ is an npz archive with one float32 or int64 array for each tensor. It has no place for metadata.
	NPZ Format = "npz"
	// Safetensors is a safetensors file with the tensors as F32 or I64, and the metadata.
	Safetensors Format = "safetensors"
)

// FormatOf returns the format for the extension of a path; its case does not matter. For any other extension the error
// wraps [ErrFormat].
func FormatOf(path string) (Format, error) {
	ext := filepath.Ext(path)
	switch f := Format(strings.ToLower(strings.TrimPrefix(ext, "."))); f {
	case NPZ, Safetensors:
		return f, nil
	}
	return "", formatError(fmt.Sprintf("weights %s: expected the extension .npz or .safetensors, got %q", path, ext))
}

// Save creates or replaces a file of weights, in the format of its extension, see [FormatOf]. If there is an error the
// path is left as it was. See [FromParams] for the state dict of a network.
func Save(path string, sd *StateDict) error {
	f, err := FormatOf(path)
	if err != nil {
		return err
	}
	return save(path, f, sd)
}

// WriteNpz is [Save] in the format [NPZ], whatever the extension.
func WriteNpz(path string, sd *StateDict) error { return save(path, NPZ, sd) }

// WriteSafetensors is [Save] in the format [Safetensors], whatever the extension.
func WriteSafetensors(path string, sd *StateDict) error { return save(path, Safetensors, sd) }

func save(path string, f Format, sd *StateDict) error {
	return atomicfile.Write(path, func(w io.Writer) error { return write(w, f, sd) })
}

// Write writes weights to w. An error names the tensor, if it is about one. For a format that is not one of the
// constants the error wraps [ErrFormat].
func Write(w io.Writer, f Format, sd *StateDict) error {
	if err := write(w, f, sd); err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	return nil
}

func write(w io.Writer, f Format, sd *StateDict) error {
	switch f {
	case NPZ:
		return npyz.FillNpz(w, npyz.Stored, func(z *npyz.Writer) error { return fillNpz(z, sd) })
	case Safetensors:
		return writeSafetensors(w, sd)
	}
	return formatError(fmt.Sprintf("expected the format %s or %s, got %q", NPZ, Safetensors, string(f)))
}

func fillNpz(z *npyz.Writer, sd *StateDict) error {
	for t := range sd.All() {
		a := npyz.Array{Shape: t.Shape, Data: t.F32}
		if t.I64 != nil {
			a.Data = t.I64
		}
		if err := z.Write(t.Name, a); err != nil {
			return err
		}
	}
	return nil
}

// readNpz reads an npz archive with one numeric array for each tensor.
func readNpz(r io.ReaderAt, size int64) (*StateDict, error) {
	z, err := npyz.NewReader(r, size, "npz")
	if err != nil {
		return nil, err
	}
	sd := &StateDict{}
	for _, name := range z.Names() {
		a, err := z.Read(name)
		if err != nil {
			return nil, err
		}
		t := Tensor{Name: name, Shape: a.Shape}
		switch a.Data.(type) {
		case []float32, []float64:
			t.F32, err = a.RoundFloat32()
		default:
			t.I64, err = a.AsInt64()
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		if err := sd.Add(t); err != nil {
			return nil, err
		}
	}
	return sd, nil
}

func writeSafetensors(w io.Writer, sd *StateDict) error {
	header, err := safetensorsHeader(sd)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))); err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range dataOrder(sd) {
		if err := writeElements(w, t); err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// dataOrder returns the tensors with the wider type first, so that every tensor is aligned to its element size.
func dataOrder(sd *StateDict) []Tensor {
	order := slices.Collect(sd.All())
	slices.SortStableFunc(order, func(a, b Tensor) int { return elementSize(b) - elementSize(a) })
	return order
}

func elementSize(t Tensor) int {
	if t.I64 != nil {
		return 8
	}
	return 4
}

// safetensorsHeader returns the header, with the tensors in the state dict's order, padded so that the data is aligned
// to 8 bytes.
func safetensorsHeader(sd *StateDict) ([]byte, error) {
	begin := map[string]int{}
	at := 0
	for _, t := range dataOrder(sd) {
		begin[t.Name] = at
		at += t.Len() * elementSize(t)
	}
	var b bytes.Buffer
	field := func(key string, value any) error {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		if !utf8.ValidString(key) {
			return fmt.Errorf("name %q is not valid UTF-8", key)
		}
		k, err := json.Marshal(key)
		if err != nil {
			return err
		}
		v, err := json.Marshal(value) // Marshal sorts the keys of maps
		if err != nil {
			return err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
		return nil
	}
	b.WriteByte('{')
	if len(sd.Metadata) > 0 {
		for k, v := range sd.Metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q is not valid UTF-8", k)
			}
		}
		if err := field(metadataKey, sd.Metadata); err != nil {
			return nil, err
		}
	}
	for t := range sd.All() {
		if t.Name == metadataKey {
			return nil, fmt.Errorf("tensor %q: the name is reserved", t.Name)
		}
		info := struct {
			Dtype   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{"F32", append([]int{}, t.Shape...), [2]int{begin[t.Name], begin[t.Name] + t.Len()*elementSize(t)}}
		if t.I64 != nil {
			info.Dtype = "I64"
		}
		if err := field(t.Name, info); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxSafetensorsHeader {
		return nil, errors.New("too many tensors for a safetensors header")
	}
	return b.Bytes(), nil
}

func writeElements(w io.Writer, t Tensor) error {
	const chunk = 1 << 14
	buf := make([]byte, 0, 8*chunk)
	for part := range slices.Chunk(t.F32, chunk) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(t.I64, chunk) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint64(buf, uint64(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
