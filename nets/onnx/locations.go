package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/objects"
)

// ExternalFiles returns the paths of the files of external data that [Open] reads with the file at path, sorted, each
// once. The values of weights, which make up most of a file, are skipped, not read. A location that leaves the file's
// folder, which Open refuses, is left out.
func ExternalFiles(path string) ([]string, error) {
	f, err := fsfile.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	l := locations{from: f, r: bufio.NewReaderSize(f, 1<<12), found: map[string]bool{}}
	if err := l.message((&pb.ModelProto{}).ProtoReflect().Descriptor(), info.Size(), 0); err != nil {
		return nil, fmt.Errorf("onnx: %s: not a whole ONNX model: %w", path, err)
	}
	var files []string
	for location := range l.found {
		files = append(files, beside(path, location))
	}
	slices.Sort(files)
	return files, nil
}

// beside returns the path of a file in the folder of another one.
func beside(file, location string) string {
	if objects.IsURL(file) {
		folder, _ := objects.Parent(file)
		return objects.Join(folder, location)
	}
	return filepath.Join(filepath.Dir(file), filepath.FromSlash(location))
}

// fieldExternalData is the name of a tensor's field with the entries of the place of its external data.
const fieldExternalData = "onnx.TensorProto.external_data"

// Limits of what a message may hold on the way to a tensor: its nesting, and the bytes of one entry.
const (
	maxNesting = 8 * maxDepth
	maxEntry   = 1 << 16
)

// locations collects the locations of external data. It reads a file from start to end.
type locations struct {
	from  io.ReadSeeker
	r     *bufio.Reader
	found map[string]bool
}

// message reads the fields of a message of size bytes, and the messages in it.
func (l *locations) message(kind protoreflect.MessageDescriptor, size int64, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("messages lie more than %d deep in one another", maxNesting)
	}
	for size > 0 {
		tag, n, err := l.varint()
		if err != nil {
			return err
		}
		size -= n
		field, wire := protowire.DecodeTag(tag)
		var length int64
		switch wire {
		case protowire.VarintType:
			_, n, err := l.varint()
			if err != nil {
				return err
			}
			size -= n
			continue
		case protowire.Fixed32Type:
			length = 4
		case protowire.Fixed64Type:
			length = 8
		case protowire.BytesType:
			v, n, err := l.varint()
			if err != nil {
				return err
			}
			size -= n
			length = int64(min(v, 1<<62))
		default:
			return fmt.Errorf("field %d has the unknown wire type %d", field, wire)
		}
		if size -= length; size < 0 {
			return io.ErrUnexpectedEOF
		}
		switch f := kind.Fields().ByNumber(field); {
		case f == nil || f.Message() == nil || wire != protowire.BytesType:
			err = l.skip(length)
		case f.FullName() == fieldExternalData:
			err = l.entry(length)
		default:
			err = l.message(f.Message(), length, depth+1)
		}
		if err != nil {
			return err
		}
	}
	if size < 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// entry reads one entry of the place of external data, and keeps it if it is a location inside the file's folder.
func (l *locations) entry(length int64) error {
	if length > maxEntry {
		return fmt.Errorf("entry of external data: expected at most %d bytes, got %d", maxEntry, length)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(l.r, data); err != nil {
		return cutOff(err)
	}
	e := &pb.StringStringEntryProto{}
	if err := proto.Unmarshal(data, e); err != nil {
		return err
	}
	if clean := path.Clean(e.GetValue()); e.GetKey() == "location" && clean != "." &&
		filepath.IsLocal(filepath.FromSlash(clean)) {
		l.found[clean] = true
	}
	return nil
}

// varint reads a number, and returns how many bytes it took.
func (l *locations) varint() (v uint64, n int64, err error) {
	var data [10]byte
	for i := range data {
		if data[i], err = l.r.ReadByte(); err != nil {
			return 0, 0, cutOff(err)
		}
		if data[i] < 0x80 {
			v, used := protowire.ConsumeVarint(data[:i+1])
			return v, int64(used), protowire.ParseError(min(used, 0))
		}
	}
	return 0, 0, errors.New("a number takes more than 10 bytes")
}

// skip goes on behind the next n bytes. Bytes that are not in the buffer are not read.
func (l *locations) skip(n int64) error {
	if buffered := int64(l.r.Buffered()); n > buffered {
		if _, err := l.from.Seek(n-buffered, io.SeekCurrent); err != nil {
			return err
		}
		l.r.Reset(l.from)
		return nil
	}
	_, err := l.r.Discard(int(n))
	return cutOff(err)
}

// cutOff returns the error for a file that ends inside a message.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
