package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is the cause of errors about files in a format that cannot be read, and about paths whose extension is not
// that of a format that can be written.
var ErrFormat = errors.New("unsupported format")

// formatError is an error about a format. errors.Is finds [ErrFormat] in it.
type formatError string

func (e formatError) Error() string        { return string(e) }
func (e formatError) Is(target error) bool { return target == ErrFormat }

const (
	resave = "re-save the model in Python with torch.save(model.state_dict(), path)"

	exportHint = "export the tensors to .safetensors or .npz under PyTorch's parameter names"
)

// format is a file format that can be read.
type format int

const (
	unknownFormat format = iota
	zipFormat            // PyTorch's zip format, or npz
	legacyFormat
	safetensorsFormat
)

// foreign lists formats that cannot be read but that people try, each with a hint at what to do.
var foreign = []struct{ magic, name, hint string }{
	{"\x89HDF\r\n\x1a\n", "HDF5 (Keras)", exportHint},
	{"\x1f\x8b", "a gzip file", "decompress it first"},
	{"BZh", "a bzip2 file", "decompress it first"},
	{"\xfd7zXZ\x00", "an xz file", "decompress it first"},
	{"\x28\xb5\x2f\xfd", "a Zstandard file", "decompress it first"},
	{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "extract it first"},
	{"Rar!", "a RAR archive", "extract it first"},
	{"\x93NUMPY", "a single NumPy array (.npy)", "save all tensors with numpy.savez(path, **arrays)"},
	{"GGUF", "GGUF", exportHint},
	{"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it with git lfs pull"},
	{"<!DOCTYPE", "a web page, not a checkpoint", "download the file again"},
	{"<!doctype", "a web page, not a checkpoint", "download the file again"},
	{"<html", "a web page, not a checkpoint", "download the file again"},
}

// detect returns the format by the first bytes of a file. For a format that cannot be read the error says what to do.
func detect(r io.ReaderAt, size int64) (format, error) {
	if size <= 0 {
		return unknownFormat, fmt.Errorf("the file is empty: %w", io.ErrUnexpectedEOF)
	}
	head := make([]byte, min(size, 512))
	if err := readAt(r, head, 0); err != nil {
		return unknownFormat, err
	}
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case has("PK\x03\x04") || has("PK\x05\x06"):
		return zipFormat, nil
	case legacyStart(head) > 0:
		return legacyFormat, nil
	}
	for _, f := range foreign {
		if has(f.magic) {
			return unknownFormat, formatError(f.name + " is not supported: " + f.hint)
		}
	}
	switch {
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return unknownFormat, formatError("a tar archive is not supported: extract it, or " + resave)
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<56:
		return safetensorsFormat, nil
	case len(head) > 8 && string(head[4:8]) == "TFL3":
		return unknownFormat, formatError("TensorFlow Lite is not supported: " + exportHint)
	case head[0] == 0x80 && len(head) > 1 && head[1] <= 5:
		return unknownFormat, formatError("a plain Python pickle is not supported: " + resave)
	case isONNX(head):
		return unknownFormat, formatError("ONNX is not supported: " + exportHint)
	}
	return unknownFormat, formatError("unknown format: expected a PyTorch checkpoint, safetensors or npz")
}

// isONNX recognises the first fields of an ONNX ModelProto: the format version, then a producer, domain or graph.
func isONNX(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 0x20 &&
		bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x3a, 0x42}, head[2]) >= 0
}
