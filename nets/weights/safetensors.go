package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxSafetensorsHeader is the limit of the reference implementation, in bytes.
const maxSafetensorsHeader = 100_000_000

const metadataKey = "__metadata__"

// tensorInfo is an entry of a safetensors header. begin and end are offsets in bytes from the start of the data.
type tensorInfo struct {
	name       string
	dtype      dtype
	shape      []int
	n          int
	begin, end int64
}

// readSafetensors reads a file: the header's length (8 bytes), the header in JSON, the data.
// Format: https://huggingface.co/docs/safetensors
func readSafetensors(r io.ReaderAt, size int64) (*StateDict, error) {
	var pre [8]byte
	if err := readAt(r, pre[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(pre[:])
	switch {
	case length > maxSafetensorsHeader:
		return nil, fmt.Errorf("safetensors header: expected at most %d bytes, got %d", maxSafetensorsHeader, length)
	case length > uint64(size-8):
		return nil, fmt.Errorf("safetensors header is cut off: %d bytes of %d: %w", size-8, length, io.ErrUnexpectedEOF)
	}
	header := make([]byte, length)
	if err := readAt(r, header, 8); err != nil {
		return nil, err
	}
	infos, metadata, err := parseSafetensorsHeader(header)
	if err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	start := 8 + int64(length)
	if err := checkCoverage(infos, size-start); err != nil {
		return nil, err
	}
	sd := &StateDict{Metadata: metadata}
	for _, info := range infos {
		raw := make([]byte, info.end-info.begin)
		if err := readAt(r, raw, start+info.begin); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", info.name, err)
		}
		t := Tensor{Name: info.name, Shape: info.shape}
		info.dtype.fill(&t, raw, binary.LittleEndian, rowMajor(info.shape), info.n)
		if err := sd.Add(t); err != nil {
			return nil, err
		}
	}
	return sd, nil
}

// readAt fills b. It fails if r has fewer bytes than its size promised.
func readAt(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("expected %d bytes at %d, got %d: %w", len(b), at, n, err)
}

func rowMajor(shape []int) layout {
	l := layout{shape: shape, stride: make([]int, len(shape))}
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		l.stride[i] = step
		step *= shape[i]
	}
	return l
}

// parseSafetensorsHeader returns the entries in their order in the header, and the metadata.
func parseSafetensorsHeader(header []byte) ([]tensorInfo, map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, errors.New("not a JSON object")
	}
	var infos []tensorInfo
	var metadata map[string]string
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := tok.(string) // keys of JSON are always strings
		if seen[name] {
			return nil, nil, fmt.Errorf("%q comes twice", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		info, err := parseTensorInfo(dec)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		info.name = name
		infos = append(infos, info)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, errors.New("text after the JSON object")
	}
	return infos, metadata, nil
}

func parseTensorInfo(dec *json.Decoder) (tensorInfo, error) {
	var fields struct {
		Dtype   *string  `json:"dtype"`
		Shape   *[]int   `json:"shape"`
		Offsets *[]int64 `json:"data_offsets"`
	}
	if err := dec.Decode(&fields); err != nil {
		return tensorInfo{}, err
	}
	if fields.Dtype == nil || fields.Shape == nil || fields.Offsets == nil || len(*fields.Offsets) != 2 {
		return tensorInfo{}, errors.New("expected dtype, shape and two data_offsets")
	}
	dt, ok := safetensorsTypes[*fields.Dtype]
	if !ok {
		return tensorInfo{}, fmt.Errorf("dtype %.20q is not supported", *fields.Dtype)
	}
	n, err := elements(*fields.Shape)
	if err != nil {
		return tensorInfo{}, err
	}
	info := tensorInfo{dtype: dt, shape: *fields.Shape, n: n, begin: (*fields.Offsets)[0], end: (*fields.Offsets)[1]}
	if info.begin < 0 || info.end < info.begin || info.end-info.begin != int64(n)*int64(dt.size) {
		return tensorInfo{}, fmt.Errorf("shape %v of %s: expected %d bytes, got data_offsets %v",
			info.shape, *fields.Dtype, int64(n)*int64(dt.size), *fields.Offsets)
	}
	return info, nil
}

// checkCoverage fails unless the tensors cover the data without gaps, overlaps and remainder, as the format requires.
func checkCoverage(infos []tensorInfo, size int64) error {
	sorted := slices.Clone(infos)
	slices.SortStableFunc(sorted, func(a, b tensorInfo) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := int64(0)
	for _, info := range sorted {
		if info.begin != at {
			return fmt.Errorf("tensor %q: expected data from byte %d on, got it from byte %d on", info.name, at,
				info.begin)
		}
		at = info.end
		if at > size {
			return fmt.Errorf("tensor %q: data is cut off: ends at byte %d of %d: %w", info.name, at, size,
				io.ErrUnexpectedEOF)
		}
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor", size-at)
	}
	return nil
}
