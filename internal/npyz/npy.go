package npyz

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/fsfile"
)

// ReadNpy reads one array. It reads r up to the array's last byte and no further.
//
// Elements of half precision become float32. Signed and unsigned integers below 32 bits become int32, except uint8,
// which stays. uint32 and uint64 become int64; a number too large for it is an error. Byte strings become strings.
// Files of either byte order and either axis order can be read. Memory grows as data arrives, whatever the header says.
func ReadNpy(r io.Reader) (Array, error) { return guarded(r, -1) }

// ReadNpyFile is [ReadNpy] for a file that holds nothing else. Errors name the path.
func ReadNpyFile(path string) (Array, error) {
	a, err := readNpyFile(path)
	if err != nil {
		return Array{}, fmt.Errorf("read %s: %w", path, unwrapPath(err))
	}
	return a, nil
}

func readNpyFile(path string) (Array, error) {
	f, err := fsfile.OpenRegular(path)
	if err != nil {
		return Array{}, err
	}
	defer f.Close()
	size, err := regularSize(f)
	if err != nil {
		return Array{}, err
	}
	a, err := guarded(f, size)
	if err != nil {
		return Array{}, err
	}
	return a, atEnd(f)
}

// guarded is readArray, but a panic in a parser becomes an error.
func guarded(r io.Reader, limit int64) (a Array, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = Array{}, fmt.Errorf("malformed array: %s", fsfile.GaveUp(p))
		}
	}()
	return readArray(r, limit)
}

// atEnd returns an error if there are bytes left. Reading to the end also makes zip check its checksum.
func atEnd(r io.Reader) error {
	switch n, err := io.CopyN(io.Discard, r, 1); {
	case n > 0:
		return fmt.Errorf("bytes after the array's end")
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

// regularSize returns the size of a plain file and refuses folders and devices.
func regularSize(f fs.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("not a regular file")
	}
	return info.Size(), nil
}

// unwrapPath removes the path from an os error, for a message that names the file already.
func unwrapPath(err error) error {
	if pe, ok := err.(*fs.PathError); ok {
		return pe.Err
	}
	return err
}

// WriteNpy writes one array.
func WriteNpy(w io.Writer, a Array) error {
	if err := writeArray(w, a); err != nil {
		return fmt.Errorf("write npy: %w", err)
	}
	return nil
}

// WriteNpyFile creates or replaces the file at path. It is written completely or not at all.
func WriteNpyFile(path string, a Array) error {
	return atomicfile.Write(path, func(w io.Writer) error { return writeArray(w, a) })
}
