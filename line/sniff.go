package line

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// unlikeZip says of a file that is no zip archive, as detectors are, what its first bytes tell that it is. Where they
// tell nothing, or err has another cause, it returns err.
func unlikeZip(name string, r io.ReaderAt, err error) error {
	if !errors.Is(err, zip.ErrFormat) {
		return err
	}
	var head [12]byte
	n, _ := r.ReadAt(head[:], 0)
	if kind := kindOf(head[:n]); kind != "" {
		return fmt.Errorf("load detector %s: it is not a LINe detector: it is %s", name, kind)
	}
	return err
}

// unlikeZipAt is unlikeZip of the file at a path, which was read before.
func unlikeZipAt(path string, err error) error {
	if !errors.Is(err, zip.ErrFormat) {
		return err
	}
	f, opening := os.Open(path)
	if opening != nil {
		return err
	}
	defer f.Close()
	return unlikeZip(path, f, err)
}

// afterVersion are the keys of an ONNX model's fields 2 to 8, one of which follows its ir_version.
var afterVersion = []byte{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42}

// kindOf tells a file's kind by its first bytes, "" where they could be anything.
func kindOf(head []byte) string {
	starts := func(with string) bool { return bytes.HasPrefix(head, []byte(with)) }
	switch {
	case len(head) == 0:
		return "empty"
	case starts("PK"):
		return "" // a damaged archive
	case len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5: // the opcode PROTO and the protocol
		return "a pickle, as PyTorch files before 1.6 are"
	case len(head) > 9 && bytes.Equal(head[4:9], []byte{0, 0, 0, 0, '{'}): // the header's length, then its JSON
		return "a safetensors file"
	case starts("\x93NUMPY"):
		return "a NumPy array (.npy)"
	case starts("PAR1"):
		return "a Parquet file"
	case starts("\x89PNG") || starts("\xff\xd8\xff"):
		return "a picture"
	case starts("\x1f\x8b"):
		return "compressed by gzip"
	case starts("{"):
		return "JSON"
	case len(head) > 2 && head[0] == 8 && head[1] > 0 && head[1] < 32 && slices.Contains(afterVersion, head[2]):
		return "an ONNX model"
	}
	return ""
}
