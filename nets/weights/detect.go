package weights

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// format is a file format as told by content.
type format string

const (
	formatZip         format = "zip archive"
	formatSafetensors format = "safetensors"
)

const (
	resave = "re-save the model in Python with torch.save(model.state_dict(), path)"

	exportHint = "export the tensors to .safetensors or .npz under PyTorch's parameter names"
)

// legacyMagic is how torch.save began its files before version 1.6: a pickled magic number.
const legacyMagic = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

// foreign lists formats that people try, with what to do about them.
var foreign = []struct{ magic, name, hint string }{
	{legacyMagic, "PyTorch's legacy format (before 1.6)", "re-save with torch.save(torch.load(path), newpath) in PyTorch 1.6 or later"},
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

// detect tells the format from the first bytes. Unsupported formats are errors that say what to do.
func detect(r io.ReaderAt, size int64) (format, error) {
	if size == 0 {
		return "", errors.New("the file is empty")
	}
	head := make([]byte, min(size, 512))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return "", err
	}
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	if has("PK\x03\x04") || has("PK\x05\x06") {
		return formatZip, nil
	}
	for _, f := range foreign {
		if has(f.magic) {
			return "", fmt.Errorf("%s is not supported: %s", f.name, f.hint)
		}
	}
	switch {
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "", errors.New("a tar archive is not supported: extract it, or " + resave)
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<56:
		return formatSafetensors, nil
	case len(head) > 8 && string(head[4:8]) == "TFL3":
		return "", errors.New("TensorFlow Lite is not supported: " + exportHint)
	case head[0] == 0x80 && len(head) > 1 && head[1] <= 5:
		return "", errors.New("a plain Python pickle is not supported: " + resave)
	case isONNX(head):
		return "", errors.New("ONNX is not supported: " + exportHint)
	}
	return "", errors.New("unknown format: expected a PyTorch checkpoint (zip format), safetensors or npz")
}

// isONNX recognises the first fields of an ONNX ModelProto: the format version, then a producer, domain or graph.
func isONNX(head []byte) bool {
	return len(head) > 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 0x20 &&
		bytes.IndexByte([]byte{0x12, 0x1a, 0x22, 0x3a, 0x42}, head[2]) >= 0
}
