package weights

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
)

// archive is PyTorch's zip format: <prefix>data.pkl, <prefix>data/<key> for every storage, and small records.
type archive struct {
	size    int64
	left    int64 // bytes to which compressed records may still unpack
	prefix  string
	records map[string]*zip.File
}

func readTorch(z *zip.Reader, size int64) (*StateDict, error) {
	a := &archive{size: size, left: fsfile.UnpackLimit(size), records: map[string]*zip.File{}}
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

// byteOrder returns the byte order in the record that PyTorch writes since version 2.1, little-endian without it.
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
	return nil, fmt.Errorf("byte order: expected little or big, got %q", b)
}

// record returns the content of a zip record, of at most limit bytes, and verifies its checksum.
func (a *archive) record(name string, limit int64) ([]byte, error) {
	f := a.records[a.prefix+name]
	if f == nil {
		return nil, fmt.Errorf("zip record %q is missing", a.prefix+name)
	}
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("zip record %q: expected at most %d bytes, got %d", f.Name, limit, f.UncompressedSize64)
	}
	if f.Method != zip.Store {
		if f.UncompressedSize64 > uint64(a.left) {
			return nil,
				fmt.Errorf("zip record %q: expected a file of %d bytes to unpack to at most %d, got more: re-save it "+
					"uncompressed, as torch.save does",
					f.Name, a.size, fsfile.UnpackLimit(a.size))
		}
		a.left -= int64(f.UncompressedSize64)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("zip record %q: %w", f.Name, err)
	}
	defer rc.Close()
	data, err := readExactly(rc, int(f.UncompressedSize64), f.Method == zip.Store &&
		int64(f.UncompressedSize64) <= a.size)
	if err != nil {
		return nil, fmt.Errorf("zip record %q: %w", f.Name, err)
	}
	return data, nil
}

// readExactly reads size bytes and fails unless the stream ends there, where zip checks its checksum. Unless size is
// vouched for, memory grows as data arrives.
func readExactly(r io.Reader, size int, vouched bool) ([]byte, error) {
	const first = 1 << 20
	room := size
	if !vouched {
		room = min(size, first)
	}
	data := make([]byte, 0, room)
	for {
		n, err := io.ReadFull(r, data[len(data):room])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case room == size:
			if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
				if n > 0 || err == nil {
					err = fmt.Errorf("expected %d bytes, got more", size)
				}
				return nil, err
			}
			return data, nil
		}
		room = min(2*room, size)
		data = append(make([]byte, 0, room), data...)
	}
}
