package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// archive is PyTorch's zip format: <prefix>data.pkl, <prefix>data/<key> for every storage, and small records.
type archive struct {
	size    int64
	prefix  string
	records map[string]*zip.File
}

func readTorch(z *zip.Reader, size int64) (*StateDict, error) {
	a := &archive{size: size, records: map[string]*zip.File{}}
	found := ""
	for _, f := range z.File {
		if a.records[f.Name] != nil {
			return nil, fmt.Errorf("zip record %q comes twice", f.Name)
		}
		a.records[f.Name] = f
		if f.Name == "data.pkl" || strings.HasSuffix(f.Name, "/data.pkl") {
			if found != "" {
				return nil, fmt.Errorf("two pickles, %q and %q", found, f.Name)
			}
			found = f.Name
		}
	}
	a.prefix = strings.TrimSuffix(found, "data.pkl")
	order, err := a.byteOrder()
	if err != nil {
		return nil, err
	}
	data, err := a.record("data.pkl", maxPickle)
	if err != nil {
		return nil, err
	}
	root, err := unpickle(data, persistentLoad)
	if err != nil {
		return nil, err
	}
	return newStorages(size, order, func(key string, limit int64) ([]byte, error) {
		return a.record("data/"+key, limit)
	}).stateDict(root)
}

// byteOrder looks at the record that PyTorch writes since version 2.1.
func (a *archive) byteOrder() (binary.ByteOrder, error) {
	if a.records[a.prefix+"byteorder"] == nil {
		return binary.LittleEndian, nil
	}
	b, err := a.record("byteorder", 16)
	if err != nil {
		return nil, err
	}
	switch string(b) {
	case "little":
		return binary.LittleEndian, nil
	case "big":
		return binary.BigEndian, nil
	}
	return nil, fmt.Errorf("byte order %q is unknown", b)
}

// record returns the content of a zip record of at most limit bytes; its checksum is verified.
func (a *archive) record(name string, limit int64) ([]byte, error) {
	f := a.records[a.prefix+name]
	if f == nil {
		return nil, fmt.Errorf("zip record %q is missing", a.prefix+name)
	}
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("zip record %q of %d bytes, expected at most %d", f.Name, f.UncompressedSize64, limit)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("zip record %q: %w", f.Name, err)
	}
	defer rc.Close()
	var buf bytes.Buffer
	if f.Method == zip.Store && int64(f.UncompressedSize64) <= a.size {
		buf.Grow(int(f.UncompressedSize64) + bytes.MinRead) // otherwise grow only with what arrives
	}
	if _, err := buf.ReadFrom(io.LimitReader(rc, limit+1)); err != nil {
		return nil, fmt.Errorf("zip record %q: %w", f.Name, err)
	}
	if uint64(buf.Len()) != f.UncompressedSize64 {
		return nil, fmt.Errorf("zip record %q: %w", f.Name, io.ErrUnexpectedEOF)
	}
	return buf.Bytes(), nil
}
